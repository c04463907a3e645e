"""Read a source's record as JSON whose numbers stay text: no digit of money passes through a float."""

import json
from collections.abc import Mapping
from typing import Any

from producers.contract import Reason

Record = dict[str, Any]


class Refused(Exception):
    """A record that cannot be translated; `reason` names the field at fault and never a value."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.reason = Reason(path, reason)


def read_object(text: str) -> tuple[Record, list[str]]:
    """The object that the text is, and which names are there more than once in one of its objects.

    Raises `Refused` for a text that is no JSON object.
    """
    repeated: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> Record:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            names = [name for name, _ in pairs]
            repeated.extend(name for name in fields if names.count(name) > 1)
        return fields

    try:
        read = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=once)
    except RecursionError:
        raise Refused("", "nested too deeply") from None
    except json.JSONDecodeError as problem:
        raise Refused("", f"not JSON: {problem}") from None
    if not isinstance(read, dict):
        raise Refused("", "is no JSON object")
    return read, repeated


def text(record: Mapping[str, Any], name: str) -> str | None:
    """A text or number as it is written; null where the record says nothing (absent, null or empty)."""
    value = record.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise Refused(f"/{name}", "is neither text nor number")


def required(record: Mapping[str, Any], name: str) -> str:
    """As `text`, of a field without which the record means nothing."""
    value = text(record, name)
    if value is None:
        raise Refused(f"/{name}", "is missing")
    return value


def part(record: Mapping[str, Any], name: str) -> Record:
    """An object inside of the record; empty where there is none."""
    value = record.get(name)
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise Refused(f"/{name}", "is no object")
    return value


def named(record: Mapping[str, Any], list_name: str, key_name: str) -> dict[str, str]:
    """A list of `{"Name": …, "Value": …}`, or one such object, by names; what has no value is left out."""
    entries = record.get(list_name) or []
    values = {}
    for entry in [entries] if isinstance(entries, dict) else entries:
        if not isinstance(entry, dict):
            raise Refused(f"/{list_name}", "is no list of names and values")
        name, value = text(entry, key_name), text(entry, "Value")
        if name and value:
            values[name] = value
    return values
