"""A query of a database as the source of a replay: its rows in the order of a cursor column, page by page."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from jobs.errors import DataCheckFailed, DependencyMissing, PlatformError, SettingsError
from producers.flat_rows import row_record
from producers.places import BEGINNING, Place, Places, SourceIdentity
from producers.wire import RawRecord

PAGE_ROWS = 1_000
# The column that is a record by itself; without it the row is one, its columns the fields.
RECORD_COLUMN = "record"

# Types of a cursor column that are remembered to the last digit, and how they are read back.
_CURSOR_TYPES: dict[type, Callable[[str], Any]] = {
    int: int,
    str: str,
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    UUID: UUID,
}


class TableSource:
    """The rows of a query, each page in a transaction of its own.

    A page ends with a whole value of the cursor column, as the database compares its values: none is passed over where
    several rows share one. Rows that appear behind the reading, with a value that was passed, are not seen.
    """

    def __init__(self, address: str, query: str, cursor: str, stop: threading.Event) -> None:
        """Connect, and look whether the query can be read in the order of the cursor.

        Raises `SettingsError` for an address, a query or a cursor that is wrong, `DataCheckFailed` for rows that have
        no cursor value, `DependencyMissing` when the database is not there.
        """
        url = _url(address)
        self._cursor, self._stop = cursor, stop
        self._shown = f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"
        identity = [url.render_as_string(hide_password=True), query, cursor]
        self.identity = SourceIdentity("\n".join(identity), {"source": self._shown, "cursor": cursor})
        with self._told():
            # Numbers inside of JSON must not become floats: JSON stays the text it is.
            self._engine = sa.create_engine(url, pool_size=1, pool_pre_ping=True, json_deserializer=_as_text)
        # A colon is the query's own, not the beginning of a parameter's name; its last line may be a comment.
        escaped = query.strip().rstrip(";").replace(":", "\\:") + "\n"
        self._rows = sa.text(escaped).columns(sa.column(cursor)).subquery("momo_rows")
        self._value = self._rows.c[cursor]
        self._places = Places(BEGINNING)
        self._check()

    def records(self, after: Place) -> Iterator[RawRecord]:
        """The rows behind the place, as records."""
        self._places = Places(after)
        return self._read(after)

    def reached(self, line: int) -> Place:
        """The end of the last page that is done with."""
        return self._places.reached(line)

    def _read(self, after: Place) -> Iterator[RawRecord]:
        value, line, is_last = _read_back(after.at), after.line, False
        while not is_last and not self._stop.is_set():
            with self._told(), self._engine.connect() as connection:
                end = connection.scalar(self._page_end(value))
                rows = connection.execution_options(yield_per=PAGE_ROWS).execute(self._page(value, end))
                names, place = list(rows.keys()), list(rows.keys()).index(self._cursor)
                for row in rows:
                    line, value = line + 1, row[place]
                    yield self._record(line, names, row)
                    if self._stop.is_set():
                        return
            is_last = end is None
            if value is not None:
                self._places.add(Place(line, self._remembered(value)))

    def _page_end(self, after: Any) -> sa.Select[Any]:
        """The cursor value of a page's last row; none when the page is the last one."""
        return self._behind(sa.select(self._value), after).offset(PAGE_ROWS - 1).limit(1)

    def _page(self, after: Any, end: Any) -> sa.Select[Any]:
        rows = self._behind(sa.select(sa.text("*")).select_from(self._rows), after)
        return rows if end is None else rows.where(self._value <= end)

    def _behind(self, rows: sa.Select[Any], after: Any) -> sa.Select[Any]:
        ordered = rows.order_by(self._value)
        return ordered if after is None else ordered.where(self._value > after)

    def _check(self) -> None:
        everything = sa.select(sa.text("*")).select_from(self._rows)
        with self._told(), self._engine.connect() as connection:
            names = list(connection.execute(everything.limit(0)).keys())
            if self._cursor not in names:
                raise SettingsError(f"The query has no column '{self._cursor}' for --cursor: it has {_listed(names)}.")
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise SettingsError(f"The query has {_listed(twice)} more than once: give each column another name.")
            if connection.scalar(sa.select(sa.literal(1)).where(sa.exists().where(self._value.is_(None)))):
                raise DataCheckFailed(
                    f"Rows of the query have no '{self._cursor}', so they have no place in the order of --cursor and "
                    f"would be passed over: leave them out (WHERE {self._cursor} IS NOT NULL), or name another column."
                )

    def _record(self, line: int, names: Sequence[str], row: Sequence[Any]) -> RawRecord:
        if RECORD_COLUMN in names:
            value = row[names.index(RECORD_COLUMN)]
            if isinstance(value, str | bytes):
                return RawRecord(line, value.encode() if isinstance(value, str) else value)
            return RawRecord(line, b"", f"the column '{RECORD_COLUMN}' has no text")
        return row_record(line, names, [_cell(name, value) for name, value in zip(names, row, strict=True)])

    def _remembered(self, value: Any) -> dict[str, str]:
        if type(value) in _CURSOR_TYPES:
            return {"type": type(value).__name__, "value": str(value)}
        raise SettingsError(
            f"The column '{self._cursor}' of --cursor gives values of type {type(value).__name__}: a number, a text, "
            "a time or a UUID is expected; cast it in the query."
        )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What the database says as one sentence, without the address' password and without values of rows."""
        try:
            yield
        except SQLAlchemyError as problem:
            raise self._sentence(problem) from None
        except ModuleNotFoundError as missing:
            raise DependencyMissing(
                f"The driver '{missing.name}' for {self._shown} is not installed: install it into this environment."
            ) from None

    def _sentence(self, problem: SQLAlchemyError) -> PlatformError:
        if isinstance(problem, NoSuchModuleError | ArgumentError):
            return SettingsError(
                f"The source is a {self._shown.partition(':')[0]}:// address: files, - (standard input), databases "
                "(postgresql://, sqlite:///) and http(s):// can be read."
            )
        # Without a statement there was no connection yet.
        is_away = isinstance(problem, OperationalError | InterfaceError) and (
            problem.connection_invalidated or not problem.statement
        )
        if is_away:
            return DependencyMissing(
                f"The database {self._shown} cannot be reached ({type(problem).__name__}): see that it runs and that "
                "user and password are right; what was sent is known, so go on with --resume."
            )
        said = str(getattr(problem, "orig", "")).splitlines() or [type(problem).__name__]
        # Other errors than those of the query's own text show values.
        is_of_the_text = isinstance(problem, ProgrammingError | OperationalError)
        told = said[0] if is_of_the_text else f"a value does not fit ({type(problem).__name__})"
        # A query may name a phone number, and what is said may quote it.
        told = re.sub(r"[0-9]{6,}", "…", told)
        return SettingsError(f"The query of --query does not run on {self._shown}: {told}.")


def _as_text(json: str | bytes) -> str:
    return json if isinstance(json, str) else json.decode()


def _url(address: str) -> sa.URL:
    """The address with the drivers that are installed; a missing file of SQLite is not made."""
    try:
        url = sa.make_url(address)
    # A port that is no number is a ValueError.
    except (ArgumentError, ValueError):
        scheme = address.partition("://")[0]
        raise SettingsError(f"The {scheme}:// address is none that can be read: see docs/sources.md.") from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        return url
    file = Path(url.database or "").resolve()
    if not file.is_file():
        raise SettingsError(f"There is no SQLite file {file}: name one that is there.")
    return url.set(database=str(file))


def _read_back(at: Any) -> Any:
    if at is None:
        return None
    (read,) = [read for kind, read in _CURSOR_TYPES.items() if kind.__name__ == at["type"]]
    return read(at["value"])


def _cell(name: str, value: Any) -> str:
    """The text of a value, empty for null; a time with a zone as RFC 3339, one without as the dummy record has it."""
    if value is None:
        return ""
    if isinstance(value, float):
        raise DataCheckFailed(
            f"The column '{name}' gives floating-point numbers, which do not keep the digits of money: cast it in the "
            f"query, such as CAST({name} AS TEXT) AS {name}, or leave it out."
        )
    if isinstance(value, bytes | memoryview):
        raise DataCheckFailed(f"The column '{name}' holds bytes: cast it to text in the query, or leave it out.")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime) and value.tzinfo:
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
