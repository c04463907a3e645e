"""The key ring: the secrets that phone numbers are made tokens with. It is kept apart from the lake.

A file that its owner alone can read (`privacy.key_file`), or the environment variable MOMO_KEYS with the same text:

    {"active": "k1", "keys": {"k1": {"secret": "…", "created_at": "2026-03-27T18:00:00+00:00"}}}

New tokens are made with the active key; the others stay for the tokens that were made with them.
"""

import base64
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.errors import SettingsError
from jobs.settings import ROOT, PrivacySettings

VARIABLE = "MOMO_KEYS"
SECRET_BYTES = 32
# 130 bits: two of a billion persons share a token once in 10^21 lakes.
TOKEN_CHARACTERS = 26
TOKEN = r"(k[1-9][0-9]*)_[a-z2-7]{26}"
_KEY_ID = re.compile(r"k[1-9][0-9]*")


@dataclass(frozen=True)
class Key:
    """A secret, and when it was made."""

    secret: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True)
class KeyRing:
    """Keys by their ids k1, k2, …, and the one that new tokens are made with."""

    active: str
    keys: Mapping[str, Key]

    def token(self, text: str, key_id: str | None = None) -> str:
        """The token of a text: `k1_` and 130 bits of its HMAC-SHA-256 in base32; by the active key if none is named."""
        name = key_id or self.active
        mac = hmac.digest(self._key(name).secret, text.encode(), "sha256")
        return f"{name}_{base64.b32encode(mac)[:TOKEN_CHARACTERS].decode().lower()}"

    def _key(self, name: str) -> Key:
        if name not in self.keys:
            raise SettingsError(
                f"A token was made with the key {name}, which is not in the key ring ({', '.join(self.keys)}): "
                "restore the ring that has it."
            )
        return self.keys[name]

    def rotated(self) -> "KeyRing":
        """The ring with one key more, which is the active one."""
        newest = max(int(name[1:]) for name in self.keys)
        return KeyRing(f"k{newest + 1}", {**self.keys, f"k{newest + 1}": _new_key()})


def new_ring() -> KeyRing:
    """A ring with one key."""
    return KeyRing("k1", {"k1": _new_key()})


def find_ring(privacy: PrivacySettings, environment: Mapping[str, str] = os.environ) -> KeyRing | None:
    """The ring of the environment, else of the file; None when there is neither.

    Raises `SettingsError` when it is no key ring, or a file that others can read.
    """
    if VARIABLE in environment:
        return _parsed(environment[VARIABLE], f"the environment variable {VARIABLE}")
    path = key_file(privacy)
    try:
        with path.open() as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if mode & 0o077:
                raise SettingsError(
                    f"The key ring {path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`."
                )
            return _parsed(file.read(), str(path))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise SettingsError(f"The key ring {path} cannot be read: {problem.strerror}.") from None


def read_ring(privacy: PrivacySettings, environment: Mapping[str, str] = os.environ) -> KeyRing:
    """As `find_ring`; raises `SettingsError` when there is none."""
    ring = find_ring(privacy, environment)
    if ring is None:
        raise SettingsError(
            f"There is no key ring at {key_file(privacy)}, and {VARIABLE} is not set: restore it, for the tokens of "
            "silver can be made with it alone, or make one with `momo keys create` for a new lake."
        )
    return ring


def write_ring(ring: KeyRing, path: Path) -> None:
    """Write the file for its owner alone, whole or not at all, in place of the one that is there."""
    _unfinished(ring, path).replace(path)


def create_ring(ring: KeyRing, path: Path) -> bool:
    """As `write_ring`; false, and nothing done, when the file is there already."""
    unfinished = _unfinished(ring, path)
    try:
        os.link(unfinished, path)
    except FileExistsError:
        return False
    finally:
        unfinished.unlink()
    return True


def key_file(privacy: PrivacySettings) -> Path:
    """Where the ring's file is, absolute."""
    return ROOT / privacy.key_file


def _new_key() -> Key:
    return Key(secrets.token_bytes(SECRET_BYTES), datetime.now(UTC).replace(microsecond=0))


def as_text(ring: KeyRing) -> str:
    """The ring as its file has it, secrets and all."""
    keys = {
        name: {"secret": base64.b64encode(key.secret).decode(), "created_at": key.created_at.isoformat()}
        for name, key in ring.keys.items()
    }
    return json.dumps({"active": ring.active, "keys": keys}, indent=2) + "\n"


def _unfinished(ring: KeyRing, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(as_text(ring))
        file.flush()
        os.fsync(file.fileno())
    return unfinished


def _parsed(text: str, source: str) -> KeyRing:
    """The ring of a text; what is wrong is said without a word of the text."""
    try:
        ring = json.loads(text)
        keys = {name: _key(key) for name, key in ring["keys"].items()}
        sound = ring["active"] in keys and all(_KEY_ID.fullmatch(name) for name in keys)
    except (ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise SettingsError(
            f"What is in {source} is no key ring: restore it from its copy, "
            "or see `momo keys --help` for what one looks like."
        )
    return KeyRing(ring["active"], keys)


def _key(key: Any) -> Key:
    secret = base64.b64decode(key["secret"], validate=True)
    if len(secret) != SECRET_BYTES:
        raise ValueError("a key has 32 bytes")
    return Key(secret, datetime.fromisoformat(key["created_at"]))
