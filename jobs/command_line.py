"""What all programs share on their command line: the settings' arguments, and errors as one sentence."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from pyspark.errors import StreamingQueryException

from jobs import stream_faults
from jobs.errors import PlatformError, SettingsError
from jobs.settings import Settings, load_settings

_ARGUMENTS = {
    "kafka": (
        ("--bootstrap", "kafka__bootstrap", "HOST:PORT", "Kafka broker, or several with commas"),
        ("--topic", "kafka__topic", "NAME", "topic of the transactions"),
    ),
    "lake": (("--lake", "lake__path", "DIR", "folder of the Delta tables"),),
}


def add_settings_arguments(parser: argparse.ArgumentParser, *groups: str) -> None:
    """Add `--conf-file` and the arguments of the groups the program uses (kafka, lake)."""
    parser.add_argument("--conf-file", type=Path, metavar="FILE", help="settings that differ from conf/pipeline.toml")
    for group in groups:
        for flag, name, metavar, text in _ARGUMENTS[group]:
            parser.add_argument(flag, dest=name, metavar=metavar, help=f"{text} (default: the settings)")


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The settings, with what the command line says; a relative `--lake` is relative to the working folder."""
    given = {name: value for name, value in vars(arguments).items() if "__" in name and value is not None}
    if "lake__path" in given:
        given["lake__path"] = str(Path(given["lake__path"]).absolute())
    return load_settings(arguments.conf_file, **given)


def day_of(flag: str, text: str) -> date:
    """A day of a command line; raises `SettingsError` for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{flag} is '{text}', a day such as 2026-03-27 is expected.") from None


def time_of(value: str) -> datetime:
    """A time of a command line, UTC where it names no zone: a `type` of argparse."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{value}' is no time such as 2026-03-27 or 2026-03-27T18:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def run(main: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None) -> int:
    """Run a program's `main`: its exit code, or a sentence on stderr and the error's code."""
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S", level=logging.INFO)
    # Both print the values of a failing expression, which may be a phone number.
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("py4j").setLevel(logging.ERROR)
    # Every try to reach a broker that is not up yet is an error to kafka-python; what comes of it, we say.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        return main(arguments)
    except PlatformError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except StreamingQueryException as problem:
        fault = stream_faults.told(str(problem))
        print(fault, file=sys.stderr)
        return fault.exit_code
    except SystemExit as leaving:
        # argparse leaves with 2 on a wrong argument; that is a wrong setting.
        return SettingsError.exit_code if leaving.code == 2 else int(leaving.code or 0)
