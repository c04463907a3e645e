"""Make, list and rotate the keys that phone numbers are made tokens with, and make the token of a number.

The key ring is a file that its owner alone can read (the setting privacy.key_file), or the text of one in MOMO_KEYS:
{"active": "k1", "keys": {"k1": {"secret": "32 bytes in base64", "created_at": "2026-03-27T18:00:00+00:00"}}}.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.errors import SettingsError
from jobs.key_ring import VARIABLE, create_ring, key_file, new_ring, read_ring, write_ring
from jobs.msisdn import read_number_plan, read_numbers
from jobs.settings import PrivacySettings


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done."""
    form = argparse.RawDescriptionHelpFormatter
    explained = "\n".join(f"  {name:<8} {action.__doc__}" for name, action in ACTIONS.items())
    parser = argparse.ArgumentParser(prog="momo keys", description=__doc__, epilog=explained, formatter_class=form)
    parser.add_argument("action", choices=ACTIONS, metavar="|".join(ACTIONS))
    add_settings_arguments(parser)
    arguments = parser.parse_args(argv)
    for line in ACTIONS[arguments.action](settings_from(arguments).privacy):
        print(line)
    return 0


def _create(privacy: PrivacySettings) -> Iterator[str]:
    """Make a key ring where there is none."""
    path = _file_in_use(privacy)
    if not create_ring(new_ring(), path):
        raise SettingsError(f"There is a key ring at {path} already: `momo keys rotate` adds a key to it.")
    yield f"made a key ring at {path}: keep a copy of it elsewhere, no token can be made again without it"


def _list(privacy: PrivacySettings) -> Iterator[str]:
    """List the keys by name, and which one is active; never their secrets."""
    ring = read_ring(privacy)
    for name, key in ring.keys.items():
        yield f"{name} made {key.created_at:%Y-%m-%d %H:%M} UTC{', active' if name == ring.active else ''}"


def _rotate(privacy: PrivacySettings) -> Iterator[str]:
    """Make a new key, which new tokens are made with from the next start of the stream."""
    path, ring = _file_in_use(privacy), read_ring(privacy).rotated()
    write_ring(ring, path)
    yield f"{ring.active} is active from the next start of the stream; keep a copy of {path} elsewhere"


def _token(privacy: PrivacySettings) -> Iterator[str]:
    """Make the tokens of the numbers on standard input, one a line, by the active key first."""
    ring, plan = read_ring(privacy), read_number_plan()
    for number in read_numbers(sys.stdin):
        canonical = plan.canonical_text(number, datetime.now(UTC))
        yield from (ring.token(canonical, name) for name in sorted(ring.keys, key=lambda name: name != ring.active))


ACTIONS = {"create": _create, "list": _list, "rotate": _rotate, "token": _token}


def _file_in_use(privacy: PrivacySettings) -> Path:
    if VARIABLE in os.environ:
        raise SettingsError(f"The key ring in use is that of {VARIABLE}: change it where that is set, or unset it.")
    return key_file(privacy)


if __name__ == "__main__":
    sys.exit(run(main))
