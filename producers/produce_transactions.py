"""Replay transactions from a file or standard input into Kafka."""

import argparse
import contextlib
import dataclasses
import json
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from jobs.errors import PlatformError
from jobs.settings import load_settings
from producers.progress import progress, summary
from producers.replay import ReplayOptions, replay

EXAMPLES = """\
examples:
  momo produce --source data/transactions.json              as fast as it goes
  momo produce --source day.ndjson.gz --rate 1500           1,500 records a second
  momo produce --source day.csv --speed 60                  an hour of events in a minute
  momo produce --source big.ndjson --resume                 go on after a crash or a stop
  gunzip -c day.gz | momo produce --source - --rejected refused.ndjson

A source is a JSON array, JSON lines or CSV, plain or gzipped. Each record is checked against
schemas/transaction_event.json and sent as the text it is; what is refused goes to --rejected with its reasons.
Ctrl-C ends the reading, delivers what was read and prints the counts.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; gives the exit code: 0, 64 for wrong settings or files, 69 when Kafka takes nothing."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load_settings(
            arguments.conf_file, kafka__bootstrap=arguments.bootstrap, kafka__topic=arguments.topic
        )
        options = _options(arguments)
        with _stop_signals() as stop, progress() as report:
            counts = replay(options, settings, stop, report)
    except PlatformError as problem:
        print(f"momo produce: {problem}", file=sys.stderr)
        return problem.exit_code
    if counts.rejected and not arguments.rejected:
        print("momo produce: refused records were kept nowhere: give --rejected FILE to keep them.", file=sys.stderr)
    print(json.dumps(dataclasses.asdict(counts)) if arguments.json else summary(counts))
    return 0


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Set by Ctrl-C or SIGTERM, as long as the block lasts."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _options(arguments: argparse.Namespace) -> ReplayOptions:
    return ReplayOptions(
        source=arguments.source,
        record_format=arguments.format,
        rate=arguments.rate,
        speed=arguments.speed,
        loop=arguments.loop,
        resume=arguments.resume,
        rejected=arguments.rejected,
        faults=arguments.faults,
        manifest=arguments.manifest,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="momo produce", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--source", required=True, metavar="FILE", help="file to read, or - for standard input")
    add("--format", choices=["auto", "gsma", "dummy"], default="auto", help="accept only these")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=float, metavar="N", help="at most N records a second")
    pace.add_argument("--speed", type=float, metavar="X", help="gaps of the event times, X times as fast")
    add("--loop", action="store_true", help="begin again at the end, until stopped")
    add("--resume", action="store_true", help="go on after the last acknowledged line of this file")
    add("--rejected", type=Path, metavar="FILE", help="keep refused records here, as JSON lines with their reasons")
    add("--faults", type=Path, metavar="FILE", help="spoil the stream by this plan, for tests (conf/faults.toml)")
    add("--manifest", type=Path, metavar="FILE", help="write down here what --faults did")
    add("--bootstrap", metavar="HOST:PORT", help="Kafka's address, instead of the settings'")
    add("--topic", metavar="NAME", help="topic, instead of the settings'")
    add("--conf-file", type=Path, metavar="FILE", help="settings that go before conf/pipeline.toml")
    add("--json", action="store_true", help="print the counts as one JSON object")
    return parser


if __name__ == "__main__":
    sys.exit(main())
