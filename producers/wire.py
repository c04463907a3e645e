"""The shapes in which records go from a source to Kafka."""

from datetime import datetime
from typing import NamedTuple


class RawRecord(NamedTuple):
    """A record's raw text and its `line` (see `WireRecord`); `problem` says why it could not be read, else null."""

    line: int
    raw: bytes
    problem: str | None = None


class WireRecord(NamedTuple):
    """One Kafka record to be sent.

    `value` is the record's raw text, never re-written: 12.30 stays 12.30. `key` is the debit party's number, so one
    payer's events stay in order; null where the record names none. `event_time` carries its zone, null where it
    cannot be told. `line` is the record's place in its source, counted from 1: the line of a text file, the element
    of a JSON array.
    """

    key: bytes | None
    value: bytes | None
    event_time: datetime | None
    line: int
