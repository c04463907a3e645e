"""A query's rows as records: each once and in order, resumable at any moment, and no digit lost."""

import json
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import DataCheckFailed, DependencyMissing, SettingsError
from producers import source_tables
from producers.opening import SourceAddress
from producers.places import BEGINNING, Place
from producers.source_tables import TableSource
from producers.wire import RawRecord

QUERY = "SELECT id, note FROM payments"


def run(address: str, *statements: str) -> None:
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def filled(address: str, ids: list[Any], kind: str = "BIGINT") -> str:
    """A table of payments with those ids, in the order given; each note is the row's number."""
    run(address, "DROP TABLE IF EXISTS payments", f"CREATE TABLE payments (id {kind}, note TEXT)")
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.begin() as connection:
        rows = [{"id": value, "note": str(number)} for number, value in enumerate(ids)]
        if rows:
            connection.execute(sa.text("INSERT INTO payments VALUES (:id, :note)"), rows)
    return address


def source(address: str, query: str = QUERY, cursor: str = "id") -> TableSource:
    return TableSource(address, query, cursor, threading.Event())


def read(address: str, query: str = QUERY, cursor: str = "id") -> list[Any]:
    return [json.loads(record.raw) for record in source(address, query, cursor).records(BEGINNING)]


def remembered(place: Place) -> Place:
    """The place after a stay in a position file."""
    return Place(*json.loads(json.dumps(place)))


def test_rows_come_once_in_the_order_of_the_cursor(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_tables, "PAGE_ROWS", 7)
    filled(database, [n * 3 % 101 for n in range(101)])
    records = list(source(database).records(BEGINNING))
    assert [record.line for record in records] == list(range(1, 102))
    assert [json.loads(record.raw)["id"] for record in records] == [str(n) for n in range(101)]


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 14, 15])
def test_any_number_of_rows_ends(database: str, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(source_tables, "PAGE_ROWS", 7)
    filled(database, list(range(count)))
    assert len(read(database)) == count


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.integers(-3, 12), max_size=40), page_rows=st.integers(1, 9), data=st.data())
def test_a_reading_that_goes_on_from_any_place_passes_over_no_row(
    tmp_path: Path, ids: list[int], page_rows: int, data: st.DataObject
) -> None:
    (tmp_path / "source.db").touch()
    address = filled(f"sqlite:///{tmp_path / 'source.db'}", ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_tables, "PAGE_ROWS", page_rows)
        whole = list(source(address).records(BEGINNING))
        assert sorted(json.loads(record.raw)["note"] for record in whole) == sorted(str(n) for n in range(len(ids)))
        first = source(address)
        read_lines = data.draw(st.integers(0, len(ids)))
        for _, _ in zip(range(read_lines), first.records(BEGINNING), strict=False):
            pass
        done = data.draw(st.integers(0, read_lines))
        place = remembered(first.reached(done))
        rest = list(source(address).records(place))
    assert place.line <= done
    assert {record.raw for record in rest} == {record.raw for record in whole[place.line :]}
    assert [record.line for record in rest] == list(range(place.line + 1, len(ids) + 1))


def test_many_rows_of_one_value_are_one_page_and_none_is_lost(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_tables, "PAGE_ROWS", 5)
    filled(database, [1] * 3 + [2] * 40 + [3] * 2)
    first = source(database)
    assert len(list(first.records(BEGINNING))) == 45
    assert [first.reached(line).line for line in (0, 42, 43, 44, 45)] == [0, 0, 43, 43, 45]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("BIGINT", [2**62, 5, 2**40]),
        ("NUMERIC(38,4)", [Decimal("12345678901234567890.0001"), Decimal("12345678901234567890.0002"), Decimal(1)]),
        ("TEXT", ["a'b", "é", "z%s:x"]),
        ("TIMESTAMPTZ", [datetime(2026, 3, 27, 12, tzinfo=UTC) + timedelta(microseconds=n) for n in (3, 1, 2)]),
        ("TIMESTAMP", [datetime(2026, 3, 27, 12) + timedelta(microseconds=n) for n in (3, 1, 2)]),
        ("DATE", [date(2026, 3, 27), date(2026, 1, 1), date(2026, 3, 28)]),
        ("UUID", [UUID(int=2**100 + n) for n in (3, 1, 2)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.xdist_group("postgresql")
def test_a_cursor_of_any_exact_type_is_remembered_exactly(
    postgresql: str, monkeypatch: pytest.MonkeyPatch, kind: str, values: list[Any]
) -> None:
    monkeypatch.setattr(source_tables, "PAGE_ROWS", 1)
    filled(postgresql, values, kind)
    whole = list(source(postgresql).records(BEGINNING))
    assert len(whole) == 3
    first = source(postgresql)
    assert list(first.records(BEGINNING)) == whole
    place = remembered(first.reached(2))
    assert place.line == 2
    assert list(source(postgresql).records(place)) == whole[2:]


def test_rows_that_came_later_are_read_when_the_replay_goes_on(database: str) -> None:
    filled(database, [1, 2])
    first = source(database)
    assert len(list(first.records(BEGINNING))) == 2
    run(database, "INSERT INTO payments VALUES (3, 'new')")
    place = remembered(first.reached(2))
    assert list(source(database).records(place)) == [RawRecord(3, b'{"id": "3", "note": "new"}')]


def test_a_stop_ends_the_reading(database: str) -> None:
    filled(database, list(range(10)))
    stop = threading.Event()
    records = []
    for record in TableSource(database, QUERY, "id", stop).records(BEGINNING):
        records.append(record)
        if len(records) == 3:
            stop.set()
    assert len(records) == 3


def test_a_flat_row_is_a_record_with_the_digits_it_has(database: str) -> None:
    run(
        database,
        "CREATE TABLE t (id INTEGER, transaction_id TEXT, transaction_amount TEXT, sender TEXT, empty TEXT, later TEXT)",
        "INSERT INTO t VALUES (1, 't1', '12.30', '256777123456', '', NULL)",
    )
    records = list(source(database, "SELECT * FROM t").records(BEGINNING))
    assert records == [
        RawRecord(1, b'{"id": "1", "transaction_id": "t1", "transaction_amount": 12.30, "sender": "256777123456"}')
    ]


@pytest.mark.xdist_group("postgresql")
def test_what_postgresql_knows_exactly_stays_exact(postgresql: str) -> None:
    run(
        postgresql,
        "DROP TABLE IF EXISTS exact",
        "CREATE TABLE exact (id INT, amount NUMERIC(22,4), paid_at TIMESTAMPTZ, local TIMESTAMP, ok BOOLEAN)",
        "INSERT INTO exact VALUES (1, 123456789012345678.0001, '2026-03-27 12:00:00+03', '2026-03-27 12:00:00', true)",
    )
    assert read(postgresql, "SELECT * FROM exact") == [
        {
            "id": "1",
            "amount": "123456789012345678.0001",
            "paid_at": "2026-03-27T09:00:00+00:00",
            "local": "2026-03-27 12:00:00",
            "ok": "true",
        }
    ]


@pytest.mark.parametrize("kind", ["JSON", "JSONB", "TEXT"])
@pytest.mark.xdist_group("postgresql")
def test_a_record_column_is_the_record_with_its_numbers_as_they_are(postgresql: str, kind: str) -> None:
    run(
        postgresql,
        "DROP TABLE IF EXISTS calls",
        f"CREATE TABLE calls (id INT, body {kind})",
        """INSERT INTO calls VALUES (1, '{"a": 12.30, "b": 12345678901234567890.0001}'), (2, NULL)""",
    )
    first, second = source(postgresql, "SELECT id, body::text::jsonb AS record FROM calls;").records(BEGINNING)
    assert first == RawRecord(1, b'{"a": 12.30, "b": 12345678901234567890.0001}')
    assert second == RawRecord(2, b"", "the column 'record' has no text")
    plain = next(source(postgresql, "SELECT id, body AS record FROM calls -- all").records(BEGINNING))
    assert plain == first


def test_a_query_is_taken_as_it_is_written(database: str) -> None:
    filled(database, [1, 2, 3])
    odd = (
        "WITH chosen AS (SELECT id, note FROM payments WHERE note LIKE '%' AND ':x' <> '12:30') SELECT * FROM chosen ; "
    )
    assert [row["id"] for row in read(database, odd)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("query", "cursor", "said"),
    [
        ("SELECT id, note FROM nothing", "id", r"does not run on (sqlite|postgresql)://.*nothing"),
        ("SELEC", "id", "does not run on"),
        (QUERY, "ID", "no column 'ID' for --cursor: it has 'id', 'note'"),
    ],
)
def test_a_query_that_cannot_be_read_is_one_sentence(database: str, query: str, cursor: str, said: str) -> None:
    filled(database, [1])
    with pytest.raises(SettingsError, match=said) as refused:
        source(database, query, cursor)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.xdist_group("postgresql")
def test_a_column_that_is_there_twice_is_refused(postgresql: str) -> None:
    filled(postgresql, [1])
    with pytest.raises(SettingsError, match="'note' more than once"):
        source(postgresql, "SELECT id, note, note FROM payments")


def test_rows_without_a_cursor_value_are_refused_and_not_passed_over(database: str) -> None:
    filled(database, [1, None, 2])
    with pytest.raises(DataCheckFailed, match="Rows of the query have no 'id'.*WHERE id IS NOT NULL"):
        source(database)


def test_floating_point_numbers_are_refused_and_a_cast_helps(database: str) -> None:
    run(database, "CREATE TABLE f (id INTEGER, amount DOUBLE PRECISION)", "INSERT INTO f VALUES (1, 12.3)")
    with pytest.raises(DataCheckFailed, match=r"'amount' gives floating-point numbers.*CAST\(amount AS TEXT\)"):
        read(database, "SELECT * FROM f")
    assert read(database, "SELECT id, CAST(amount AS TEXT) AS amount FROM f") == [{"id": "1", "amount": "12.3"}]
    with pytest.raises(SettingsError, match="of type float"):
        filled(database, [1.5], "DOUBLE PRECISION")
        list(source(database, "SELECT id, 'x' AS record FROM payments").records(BEGINNING))


def test_a_value_of_a_customer_is_in_no_message(database: str) -> None:
    filled(database, ["256777123456x"], "TEXT")
    for query in (f"{QUERY} WHERE id = '256777123456x' AND no_column = 1", f"{QUERY} WHERE id = 256777123456x"):
        with pytest.raises(SettingsError, match="does not run on") as refused:
            source(database, query)
        assert "256777123456" not in str(refused.value)


@pytest.mark.xdist_group("postgresql")
def test_a_value_that_the_query_cannot_take_is_in_no_message(postgresql: str) -> None:
    filled(postgresql, ["256777123456x"], "TEXT")
    with pytest.raises(SettingsError, match="a value does not fit .DataError.") as refused:
        list(source(postgresql, "SELECT id, CAST(id AS NUMERIC) AS amount FROM payments").records(BEGINNING))
    assert "256777123456" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        (
            "postgresql://momo:secret@127.0.0.1:1/payments",
            DependencyMissing,
            r"postgresql://127\.0\.0\.1/payments cannot",
        ),
        ("postgresql://127.0.0.1:1/payments?password=secret", DependencyMissing, "cannot be reached"),
        ("ftp://momo:secret@host/x", SettingsError, "a ftp:// address: files, - "),
        ("mysql://momo:secret@host/x", DependencyMissing, "The driver 'MySQLdb' for mysql://host/x is not installed"),
        ("sqlite:////no/such/secret-less/file.db", SettingsError, "There is no SQLite file"),
        ("sqlite://", SettingsError, "There is no SQLite file"),
        ("postgresql://momo:secret@host:port/x", SettingsError, "postgresql:// address is none"),
    ],
)
def test_an_address_that_does_not_work_is_one_sentence_without_its_password(
    address: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as refused:
        source(address)
    assert "secret@" not in str(refused.value)
    assert "=secret" not in str(refused.value)


def test_neither_password_nor_query_is_kept_in_what_a_position_remembers(tmp_path: Path) -> None:
    (tmp_path / "source.db").touch()
    address = filled(f"sqlite:///{tmp_path / 'source.db'}", [1])
    identity = source(f"{address}?timeout=5").identity
    assert identity.facts == {"source": address, "cursor": "id"}
    assert identity.name != source(address, f"{QUERY} WHERE id > 0").identity.name


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "sqlite:///x.db"},
        {"source": "sqlite:///x.db", "query": QUERY},
        {"source": "x.json", "query": QUERY, "cursor": "id"},
        {"source": "https://host/x", "cursor": "id"},
        {"source": "x.json", "token": "secret"},
    ],
    ids=str,
)
def test_what_a_source_does_not_need_or_lacks_is_said(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as refused:
        SourceAddress(**wrong)
    assert "secret" not in str(refused.value)
    assert "secret" not in repr(SourceAddress("https://host/x?key=secret", token="secret"))
