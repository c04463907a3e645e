"""Read a reference table strictly: each error is a sentence with file and line.

A table is a CSV file with a header; lines that begin with # and empty ones are passed over. What a column holds is the
type of the field of that name.
"""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

from jobs.errors import SettingsError

Row = TypeVar("Row")


@dataclass(frozen=True)
class Placed(Generic[Row]):
    """A row of a reference table, and where it is."""

    path: Path
    line: int
    row: Row

    def wrong(self, what: str) -> SettingsError:
        """The error that this row is; `what` says what was found and what was expected."""
        return _wrong(self.path, self.line, what)


def read_rows(path: Path, kind: type[Row]) -> list[Placed[Row]]:
    """The rows of a file as objects of this dataclass; raises `SettingsError` for the first that is none."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"The reference table {path} cannot be read: {problem}.") from None
    lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line and not line.startswith("#")]
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if not lines or lines[0][1].split(",") != names:
        raise _wrong(path, lines[0][0] if lines else 1, f"the header must be {','.join(names)}")
    return [Placed(path, n, _row(path, n, line, kind, {name: hints[name] for name in names})) for n, line in lines[1:]]


def _row(path: Path, n: int, line: str, kind: type[Row], columns: dict[str, Any]) -> Row:
    values = next(csv.reader([line]))
    if len(values) != len(columns):
        raise _wrong(path, n, f"it has {len(values)} values, {len(columns)} are expected: quote what holds a comma")
    read = {}
    for (name, hint), text in zip(columns.items(), values, strict=True):
        parse, expected = _PARSERS[hint]
        try:
            read[name] = parse(text)
        except ValueError:
            raise _wrong(path, n, f"{name} is '{text}', {expected} is expected") from None
    return kind(**read)


def _wrong(path: Path, line: int, what: str) -> SettingsError:
    return SettingsError(f"{path.name}, line {line}: {what}.")


def _matching(pattern: str, make: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return make(text)

    return parse


def _or_none(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(text) if text else None


# As GSMA writes amounts, of which no double can hold all.
_decimal = _matching(r"(0|[1-9][0-9]{0,17})([.][0-9]{1,4})?", Decimal)
_day = _matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", date.fromisoformat)
_degrees = _matching(r"-?[0-9]{1,3}([.][0-9]{1,6})?", float)

_PARSERS: dict[Any, tuple[Callable[[str], Any], str]] = {
    str: (_matching(r"\S(.*\S)?", str), "a text"),
    int: (_matching(r"[0-9]{1,3}", int), "a whole number"),
    bool: (_matching(r"true|false", lambda text: text == "true"), "true or false"),
    float: (_degrees, "a number of degrees such as -0.6072"),
    Decimal: (_decimal, "a decimal such as 1500.01"),
    Decimal | None: (_or_none(_decimal), "a decimal such as 1500.01, or nothing,"),
    date: (_day, "a day such as 2025-01-01"),
    date | None: (_or_none(_day), "a day such as 2025-01-01, or nothing,"),
    tuple[str, ...]: (lambda text: tuple(text.split()), "words with blanks between"),
}
