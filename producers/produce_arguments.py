"""The command line of `momo produce`."""

import argparse
from pathlib import Path
from typing import NoReturn

from jobs.errors import SettingsError
from producers.replay import ReplayOptions

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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}: `{self.prog} --help` shows what there is.")


def parser() -> argparse.ArgumentParser:
    """All arguments, with help that teaches; a wrong one raises `SettingsError`."""
    made = _Parser(
        prog="momo produce",
        description="Replay transactions from a file or standard input into Kafka.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--source", required=True, metavar="FILE", help="file to read, or - for standard input")
    add("--format", choices=["auto", "gsma", "dummy"], default="auto", help="accept only these")
    pace = made.add_mutually_exclusive_group()
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
    return made


def options(arguments: argparse.Namespace) -> ReplayOptions:
    """What is to be replayed and how; raises `SettingsError` for what cannot go together."""
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
