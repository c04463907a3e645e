"""Erase persons: bronze and silver no longer tell that their transactions were theirs. Prints the certificate as JSON.

Numbers are read from standard input, one a line, for a command line is seen by everybody. The transactions stay in the
books, without the person (docs/privacy.md). Nobody else may write or read the lake meanwhile.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.erasure import erase, find_persons
from jobs.errors import SettingsError
from jobs.key_ring import TOKEN
from jobs.lake import Lake
from jobs.lake_keys import ring_of
from jobs.maintenance import maintaining
from jobs.msisdn import read_numbers


def main(argv: Sequence[str] | None = None) -> int:
    """0 when nothing of them is left; raises `LakeLocked` while another process writes the lake."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="momo erase", description=__doc__, formatter_class=form)
    parser.add_argument("--file", type=Path, help="numbers, one a line, in place of standard input")
    parser.add_argument("--token", action="append", default=[], help="erase who has this token in silver, repeatable")
    add_settings_arguments(parser, "lake")
    arguments = parser.parse_args(argv)
    settings, numbers = settings_from(arguments), _numbers(arguments)
    lake = Lake(settings.lake_path)
    lake.must_exist()
    ring = ring_of(lake, settings.privacy)
    with lake.locked("momo erase"), maintaining(lake):
        persons = find_persons(lake, ring, numbers, arguments.token)
        print(json.dumps(erase(lake, persons, settings.topic.retention_days), indent=2))
    return 0


def _numbers(arguments: argparse.Namespace) -> list[str]:
    if any(not re.fullmatch(TOKEN, token) for token in arguments.token):
        raise SettingsError("--token is not a token: k1_ and 26 letters and digits are expected, as silver has them.")
    if arguments.token and arguments.file is None:
        return []
    try:
        numbers = read_numbers(arguments.file.open() if arguments.file else sys.stdin)
    except OSError as problem:
        raise SettingsError(f"The file {arguments.file} cannot be read: {problem.strerror}.") from None
    if not numbers:
        raise SettingsError("No phone number was given: write one a line on standard input, or name a --file of them.")
    return numbers


if __name__ == "__main__":
    sys.exit(run(main))
