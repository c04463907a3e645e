"""Per-minute windows of the topic without Spark: Kafka Streams, from topic to topic.

It reads the transactions as the pipeline does (same rules, repeats counted once, completed money alone) and keeps one
record for each minute of event time, type, currency and channel in the output topic, where the newest one of a key
counts. It writes no tables. Started again, it goes on where it was.
"""

import argparse
import json
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from infra.kafka_streams_app import STATE, counts_in, ended_early, running, windows_command
from infra.topics import read_topic
from infra.windows_topic import read_windows
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.errors import SettingsError
from jobs.settings import Settings, duration_seconds

ANSWER_SECONDS = 8
# A hundred years.
LONGEST_GRACE_HOURS = 876_000
EXAMPLES = """\
examples:
  momo windows                                  keep the windows up to date until Ctrl-C
  momo windows --until-end                      process what is in the topic now, print the windows, end
  momo windows --until-end --grace-hours 100000 --json > windows.ndjson
                                                however late an event is, it counts
"""


@dataclass(frozen=True)
class Run:
    """A run of the application: what to read, where the windows go, how long they stay open."""

    settings: Settings
    output_topic: str
    grace_seconds: int
    until_end: bool


def main(argv: Sequence[str] | None = None) -> int:
    """0 when it was stopped, or had reached the end of the topic."""
    arguments = _parser().parse_args(argv)
    settings = settings_from(arguments)
    asked = Run(
        settings,
        arguments.output_topic or f"{settings.kafka.topic}.windows",
        _grace_seconds(arguments.grace_hours, settings),
        arguments.until_end,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        compute_windows(asked)
    except KeyboardInterrupt:
        _say(f"stopped; the windows are in the topic {asked.output_topic}, the next start goes on from here")
        return 130 if asked.until_end else 0
    windows = read_windows(settings, asked.output_topic)
    if arguments.json:
        for row in windows.to_pylist():
            print(json.dumps(row | {"window_start": row["window_start"].isoformat()}, default=str))
    else:
        _print_table(windows)
    return 0


def compute_windows(asked: Run) -> None:
    """Run the application; returns at the end of the topic, or never.

    Raises `DependencyMissing` when it is not built, ends by itself, or Kafka or the topic is not there.
    """
    settings = asked.settings
    # A topic made anew under the same name has another identity: its records are no continuation.
    application = f"{asked.output_topic}-{read_topic(settings, ANSWER_SECONDS).topic_id}"
    options = ["--application-id", application, "--output-topic", asked.output_topic]
    options += ["--until-end", "true"] if asked.until_end else []
    command = windows_command(settings, asked.grace_seconds, *options)
    STATE.mkdir(parents=True, exist_ok=True)
    log = STATE / f"{application}.log"
    _say(f"{settings.kafka.topic} → {asked.output_topic}, open for {asked.grace_seconds / 3600:g} h; warnings in {log}")
    with log.open("w") as warnings, running(command, warnings) as process:
        _follow(process.stdout or (), log)


def _follow(lines: Iterable[str], log: Path) -> None:
    for line in lines:
        if line.strip() == "done":
            return
        if counts := counts_in(line):
            _say(str(counts))
    raise ended_early(log)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="momo windows",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine", choices=("kafka-streams",), default="kafka-streams", help="what computes them")
    parser.add_argument("--until-end", action="store_true", help="end when what is in the topic now is in the windows")
    parser.add_argument(
        "--grace-hours",
        type=int,
        metavar="N",
        help="how late an event may be, by the event times before it; a later one is dropped and counted as too late "
        "(default: kafka_streams.dedup_horizon)",
    )
    parser.add_argument("--output-topic", metavar="NAME", help="made when it is not there (default: TOPIC.windows)")
    parser.add_argument("--json", action="store_true", help="with --until-end: one JSON object a window; money as text")
    add_settings_arguments(parser, "kafka")
    return parser


def _grace_seconds(hours: int | None, settings: Settings) -> int:
    if hours is None:
        return duration_seconds(settings.kafka_streams.dedup_horizon)
    if not 0 <= hours <= LONGEST_GRACE_HOURS:
        raise SettingsError(f"--grace-hours is {hours}: give 0 to {LONGEST_GRACE_HOURS}.")
    return hours * 3600


def _print_table(windows: pa.Table) -> None:
    table = Table(*windows.column_names)
    for row in windows.to_pylist():
        table.add_row(*(f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "hour") else str(value) for value in row.values()))
    console = Console()
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)
    console.print(f"{windows.num_rows:,} windows")


def _say(what: str) -> None:
    sys.stderr.write(f"windows: {what}\n")


if __name__ == "__main__":
    sys.exit(run(main))
