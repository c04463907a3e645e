"""The command line of `momo produce`."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from jobs.errors import SettingsError
from producers.adapters.translation import FORMATS
from producers.replay import ReplayOptions

FROM_ENVIRONMENT = "env:"

EXAMPLES = """\
examples, files:
  momo produce --source data/transactions.json              as fast as it goes
  momo produce --source day.ndjson.gz --rate 1500           1,500 records a second
  momo produce --source day.csv --speed 60                  an hour of events in a minute
  momo produce --source big.ndjson --resume                 go on after a crash or a stop
  gunzip -c day.gz | momo produce --source - --rejected refused.ndjson
  momo produce --source paysim.csv --format paysim          rows of PaySim's log
a database, its rows in the order of a column that only grows (the address from the variable MOMO_SOURCE):
  momo produce --source env:MOMO_SOURCE --cursor id --resume \\
      --query 'SELECT id, body AS record FROM callbacks'
an API, page after page, with the token from the variable API_TOKEN:
  momo produce --source https://api.example.com/transactions --token-variable API_TOKEN --resume

A file is a JSON array, JSON lines or CSV, plain or gzipped. Records are GSMA transactions or the short record of the
README, which are sent as the text they are, or records of Daraja, MTN MoMo, Airtel or PaySim, which become GSMA
transactions (docs/sources.md has the tables). Each is checked against schemas/transaction_event.json; what is refused
goes to --rejected with its reasons. Ctrl-C ends the reading, delivers what was read and prints the counts.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}: `{self.prog} --help` shows what there is.")


def parser() -> argparse.ArgumentParser:
    """All arguments, with help that teaches; a wrong one raises `SettingsError`."""
    made = _Parser(
        prog="momo produce",
        description="Replay transactions from a file, a database or an API into Kafka.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add(
        "--source",
        required=True,
        metavar="FILE|DB-URL|HTTP-URL",
        help="file, - for standard input, postgresql:// or sqlite:///, http(s)://, or env:NAME, a variable with any",
    )
    add("--format", choices=FORMATS, default="auto", help="accept only these; auto tells each record by its fields")
    add("--query", metavar="SQL", help="what to read from a database: rows are records, or their column `record` is")
    add("--cursor", metavar="COLUMN", help="column of the query that orders its rows and only grows")
    add("--token-variable", metavar="NAME", help="environment variable with the API's bearer token")
    pace = made.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=float, metavar="N", help="at most N records a second")
    pace.add_argument("--speed", type=float, metavar="X", help="gaps of the event times, X times as fast")
    add("--loop", action="store_true", help="begin again at the end, until stopped")
    add("--resume", action="store_true", help="go on after what is acknowledged of this source")
    add("--rejected", type=Path, metavar="FILE", help="keep refused records here, as JSON lines with their reasons")
    add("--faults", type=Path, metavar="FILE", help="spoil the stream by this plan, for tests (conf/faults.toml)")
    add("--manifest", type=Path, metavar="FILE", help="write down here what --faults did")
    add("--bootstrap", metavar="HOST:PORT", help="Kafka's address, instead of the settings'")
    add("--topic", metavar="NAME", help="topic, instead of the settings'")
    add("--conf-file", type=Path, metavar="FILE", help="settings that go before conf/pipeline.toml")
    add("--json", action="store_true", help="print the counts as one JSON object")
    return made


def options(arguments: argparse.Namespace, environment: Mapping[str, str]) -> ReplayOptions:
    """What is to be replayed and how; raises `SettingsError` for what cannot go together."""
    source, token_variable = arguments.source, arguments.token_variable
    if source.startswith(FROM_ENVIRONMENT):
        source = _variable(source.removeprefix(FROM_ENVIRONMENT), "--source", environment)
    return ReplayOptions(
        source=source,
        record_format=arguments.format,
        query=arguments.query,
        cursor=arguments.cursor,
        token=_variable(token_variable, "--token-variable", environment) if token_variable else None,
        rate=arguments.rate,
        speed=arguments.speed,
        loop=arguments.loop,
        resume=arguments.resume,
        rejected=arguments.rejected,
        faults=arguments.faults,
        manifest=arguments.manifest,
    )


def _variable(name: str, flag: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise SettingsError(f"The environment variable '{name}' that {flag} names is empty: set it.")
    return value
