"""Which keys the tokens of a lake are made with: a wrong key ring is refused before it makes everybody another person.

`_keys.json` in the lake holds a check value of each key, the token of a fixed text; it says nothing of the key.
"""

import json
import logging
from pathlib import Path

from jobs.errors import SettingsError
from jobs.key_ring import VARIABLE, KeyRing, create_ring, find_ring, key_file, new_ring, read_ring
from jobs.lake import Lake
from jobs.settings import PrivacySettings

logger = logging.getLogger("momo.keys")

_CHECKED_TEXT = "momostream key check"


def ring_of(lake: Lake, privacy: PrivacySettings) -> KeyRing:
    """The ring that the lake's tokens are made with; raises `SettingsError` when it is not there, or another one is."""
    ring = read_ring(privacy)
    _refuse_other_keys(ring, _checks(lake))
    return ring


def ring_for_writing(lake: Lake, privacy: PrivacySettings) -> KeyRing:
    """As `ring_of`, for who makes tokens: notes the ring's keys, and makes a ring for a new lake where settings let it.

    Needs the lake's lock, or a lake that has keys.
    """
    checks = _checks(lake)
    ring = find_ring(privacy) or _made(privacy, checks)
    _refuse_other_keys(ring, checks)
    known = {name: ring.token(_CHECKED_TEXT, name) for name in ring.keys}
    if not known.items() <= checks.items():
        path = _file(lake)
        unfinished = path.with_name(f".{path.name}.tmp")
        unfinished.write_text(json.dumps(checks | known, indent=2) + "\n")
        unfinished.replace(path)
    return ring


def _made(privacy: PrivacySettings, checks: dict[str, str]) -> KeyRing:
    path = key_file(privacy)
    if checks:
        raise SettingsError(
            f"The lake's tokens were made with {', '.join(checks)}, and there is no key ring at {path}, nor in "
            f"{VARIABLE}: restore it; with a new one everybody would be another person from now on."
        )
    if not privacy.create_missing_key:
        raise SettingsError(
            f"There is no key ring at {path}, nor in {VARIABLE}: make one with `momo keys create` and keep a copy "
            "elsewhere, or restore the one you have."
        )
    # Where two processes make one at the same time, the first one's is everybody's.
    if create_ring(new_ring(), path):
        logger.info("made a key ring at %s: keep a copy of it elsewhere, no token can be made again without it", path)
    return read_ring(privacy)


def _refuse_other_keys(ring: KeyRing, checks: dict[str, str]) -> None:
    for name in ring.keys.keys() & checks.keys():
        if ring.token(_CHECKED_TEXT, name) != checks[name]:
            raise SettingsError(
                f"The key {name} of the key ring is not the {name} that the lake's tokens were made with: "
                "restore the lake's own ring, or name another --lake."
            )


def _checks(lake: Lake) -> dict[str, str]:
    path = _file(lake)
    checks: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return checks


def _file(lake: Lake) -> Path:
    return lake.path / "_keys.json"
