"""Benchmarks on this machine, against the same engine laid out another way, other engines and a roofline.

drain: contestants carry the same topic into tables, in alternating rounds, each answer checked before its time counts.
roofline: what each stage costs alone. freshness: how old a record is when a reader can see it, at a steady rate.
growth: what a batch costs after many commits, and with many keys remembered. producer: how fast files go into Kafka.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.bench import drain, freshness, growth, producer, roofline
from infra.bench.processes import loop_seconds, require_proc
from infra.bench.report import Report
from jobs.command_line import add_settings_arguments
from jobs.settings import ROOT

FOLDER = ROOT / ".local" / "bench"
Run = Callable[[argparse.Namespace], Report]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one benchmark and print its figures."""
    require_proc()
    # So that a SIGTERM too ends what was started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _parser().parse_args(argv)
    run: Run = arguments.run
    speed = loop_seconds()
    report = run(arguments).on_machine(speed)
    if arguments.save:
        report.save()
    sys.stdout.write(report.markdown + "\n")
    if arguments.json:
        sys.stdout.write(report.json_line + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="momo bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    benchmarks = parser.add_subparsers(required=True, metavar="drain|roofline|freshness|growth|producer")
    for name, module, run in (
        ("drain", drain, drain.run_drain),
        ("roofline", roofline, roofline.run_roofline),
        ("freshness", freshness, freshness.run_freshness),
        ("growth", growth, growth.run_growth),
        ("producer", producer, producer.run_producer),
    ):
        benchmark = benchmarks.add_parser(
            name, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(benchmark)
        _add_shared(benchmark)
        benchmark.set_defaults(run=run)
    return parser


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the last line is the figures as one JSON object")
    parser.add_argument("--save", action="store_true", help="write docs/bench/NAME.json and NAME.md as well")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, metavar="DIR", help="broker, topic and rounds (default: .local/bench)"
    )
    # With --bootstrap a broker that runs already is used, otherwise one of our own.
    add_settings_arguments(parser, "kafka")


if __name__ == "__main__":
    sys.exit(main())
