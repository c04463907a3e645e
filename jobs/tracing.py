"""The way of one transaction through the tables: records, verdicts, silver and the gold windows, without Spark."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset

from jobs.errors import NotFound
from jobs.lake import Lake, text
from jobs.msisdn import read_number_plan
from jobs.quarantine import PLACE, RULES_NOW, Place, place_of, places_table
from jobs.reconciliation import PARTIES, same_content, same_record
from jobs.tokens import same_person
from schemas.tables import AGENT_5M, BRONZE, CORRIDOR_HOURLY, GOLD, QUARANTINE, SILVER, Table

# These count completed transactions alone.
_COMPLETED_ALONE = (AGENT_5M, CORRIDOR_HOURLY)


@dataclass(frozen=True)
class Window:
    """A gold window that counts the event; `key` are its other key columns, in the order of the table."""

    table: str
    window_start: datetime
    window_end: datetime
    key: tuple[str, ...]
    is_final: bool
    revision: int


@dataclass(frozen=True)
class Event:
    """One Kafka record of a transaction, and what became of it.

    `verdict` is silver, quarantine, repeat, conflict, or waiting: in bronze, and carried no further yet. `first` is the
    record in silver that it repeats or contradicts. `state`, `broken_rules`, `tries` and `closed_reason` are of
    quarantine's row, null when it has none.
    """

    topic: str
    partition: int
    offset: int
    arrived_at: datetime
    bronze_file: str | None
    transaction_reference: str | None
    original_transaction_reference: str | None
    status: str | None
    transaction_type: str | None
    amount: Decimal | None
    currency: str | None
    debit_party: str | None
    credit_party: str | None
    event_time: datetime | None
    verdict: str
    first: Place | None
    state: str | None
    broken_rules: tuple[str, ...] | None
    tries: int | None
    closed_reason: str | None
    windows: tuple[Window, ...]

    @property
    def place(self) -> Place:
        """Its place in Kafka."""
        return self.topic, self.partition, self.offset


@dataclass(frozen=True)
class Trace:
    """The events of a transaction and those that name it (reversals), in the order of their arrival."""

    transaction_reference: str
    events: tuple[Event, ...]

    def masked(self) -> "Trace":
        """Without what tells who the parties are, but for the kind and the last two digits."""
        events = (
            replace(e, debit_party=_masked(e.debit_party), credit_party=_masked(e.credit_party)) for e in self.events
        )
        return replace(self, events=tuple(events))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def trace(lake: Lake, reference: str) -> Trace:
    """Everything the tables hold of a transaction; raises `NotFound` when that is nothing."""
    places = _places(lake, reference)
    if not places:
        raise NotFound(
            f"No record in {lake.path} names the transaction '{reference}': look at the ID, at `momo reconcile` for "
            "what is still to come, and at `momo quarantine list` for records whose ID could not be read."
        )
    rows = _rows(lake, places)
    files, windows = _bronze_files(lake, places), _windows(lake, rows)
    events = (_event(row, files.get(place_of(row)), windows.get(place_of(row), ())) for row in rows)
    return Trace(reference, tuple(events))


def _places(lake: Lake, reference: str) -> list[Place]:
    """The records that name the transaction; silver and quarantine may have read what bronze could not."""
    columns, named = 'topic, "partition", "offset"', f"transaction_reference = {text(reference)}"
    reverses = f"original_transaction_reference = {text(reference)}"
    rows = lake.query(f"""
        SELECT {columns} FROM {BRONZE.name} WHERE {named} OR {reverses}
        UNION SELECT {columns} FROM {SILVER.name} WHERE {named} OR {reverses}
        UNION SELECT {columns} FROM {QUARANTINE.name} WHERE {named}
    """)
    return [place_of(row) for row in rows.to_pylist()]


def _rows(lake: Lake, places: Sequence[Place]) -> list[dict[str, Any]]:
    """One row per record: bronze's, as silver reads it where it has it, with quarantine's and the first of its key."""
    # What a retry released was read anew: bronze holds what could be read at first.
    of_silver = ("transaction_reference", "original_transaction_reference", "status", "transaction_type", "amount",
                 "currency", "event_time")  # fmt: skip
    of_silver_sql = ", ".join(f"coalesce(s.{name}, b.{name}) AS {name}" for name in of_silver)
    rows: list[dict[str, Any]] = lake.query(f"""
        WITH b AS (SELECT * EXCEPT (payload, payload_bytes, key) FROM {BRONZE.name} WHERE {_at(places)}),
             s AS (SELECT * FROM {SILVER.name} WHERE {_at(places)}),
             q AS (SELECT *, {RULES_NOW} AS rules_now FROM {QUARANTINE.name} WHERE {_at(places)})
        SELECT b.topic, b."partition", b."offset", b.kafka_timestamp AS arrived_at, {of_silver_sql},
               coalesce(b.debit_party, s.debit_party) AS debit_party,
               coalesce(b.credit_party, s.credit_party) AS credit_party,
               s."offset" IS NOT NULL AS is_in_silver, s.event_date,
               q.state, q.rules_now AS broken_rules, q.tries, q.closed_reason,
               k.topic AS first_topic, k."partition" AS first_partition, k."offset" AS first_offset,
               {same_content("b", "k")} AS has_same_content,
               {", ".join(f"b.{name} AS own_{name}, f.{name} AS first_{name}" for name in PARTIES)}
        FROM b LEFT JOIN s ON {same_record("b", "s")} LEFT JOIN q ON {same_record("b", "q")}
        LEFT JOIN {SILVER.name} k
            ON cardinality(b.broken_rules) = 0 AND k.transaction_reference = b.transaction_reference
            AND k.status = b.status
        LEFT JOIN {BRONZE.name} f ON {same_record("k", "f")}
        ORDER BY arrived_at, b.topic, b."partition", b."offset"
    """).to_pylist()
    return rows


def _at(places: Iterable[Place]) -> str:
    """SQL: the row is of one of these records; offsets apart, for the statistics know them."""
    places = list(places)
    offsets = ", ".join(str(offset) for _, _, offset in places)
    spelt = ", ".join(text(" ".join(map(str, place))) for place in places)
    return f"""\"offset" IN ({offsets}) AND topic || ' ' || "partition" || ' ' || "offset" IN ({spelt})"""


def _bronze_files(lake: Lake, places: Sequence[Place]) -> dict[Place, str]:
    """The name of the file of bronze that holds each record."""
    files = lake.files_holding(BRONZE, places_table(places))
    if not files:
        return {}
    offsets = sorted({offset for _, _, offset in places})
    rows = pyarrow.dataset.dataset(files, format="parquet").to_table(
        columns=[*PLACE, "__filename"], filter=pc.field("offset").isin(offsets)
    )
    return {place_of(row): Path(row["__filename"]).name for row in rows.to_pylist()}


def _windows(lake: Lake, rows: Sequence[Mapping[str, Any]]) -> dict[Place, tuple[Window, ...]]:
    """The windows of gold that count each row of silver."""
    in_silver = [row for row in rows if row["is_in_silver"]]
    if not in_silver:
        return {}
    found: dict[Place, tuple[Window, ...]] = {}
    of_tables = " UNION ALL ".join(_windows_sql(table, in_silver) for table in GOLD)
    for row in lake.query(f"SELECT * FROM ({of_tables}) ORDER BY window_end - window_start").to_pylist():
        window = Window(
            table=row["table_name"],
            window_start=row["window_start"],
            window_end=row["window_end"],
            key=tuple(row["key"]),
            is_final=row["is_final"],
            revision=row["revision"],
        )
        found[place_of(row)] = (*found.get(place_of(row), ()), window)
    return found


def _windows_sql(table: Table, rows: Sequence[Mapping[str, Any]]) -> str:
    """By the keys of the table, which are columns of silver; days spelt out, for the tables are partitioned by them."""
    keys = [name for name in table.key if name != "window_start"]
    same_key = " AND ".join(f"g.{name} = s.{name}" for name in keys)
    days = ", ".join(sorted({f"DATE '{row['event_date']}'" for row in rows}))
    counts = "AND s.status = 'completed'" if table in _COMPLETED_ALONE else ""
    return f"""
        SELECT '{table.name}' AS table_name, s.topic, s."partition", s."offset", g.window_start, g.window_end,
               make_array({", ".join(f"g.{name}" for name in keys)}) AS key, g.is_final, g.revision
        FROM {SILVER.name} s JOIN {table.name} g
            ON {same_key} AND g.window_start <= s.event_time AND s.event_time < g.window_end
        WHERE s.event_date IN ({days}) AND g.window_date IN ({days}) {counts} AND {_at(map(place_of, rows))}
    """


def _event(row: Mapping[str, Any], bronze_file: str | None, windows: tuple[Window, ...]) -> Event:
    known = {name: row[name] for name in Event.__dataclass_fields__ if name in row}
    rules = None if row["broken_rules"] is None else tuple(row["broken_rules"])
    has_first = not row["is_in_silver"] and row["first_offset"] is not None
    first = (row["first_topic"], row["first_partition"], row["first_offset"]) if has_first else None
    return Event(
        **known | {"broken_rules": rules}, bronze_file=bronze_file, verdict=_verdict(row), first=first, windows=windows
    )


def _verdict(row: Mapping[str, Any]) -> str:
    if row["is_in_silver"]:
        return "silver"
    if row["state"] is not None:
        return "quarantine"
    if row["first_offset"] is None:
        return "waiting"
    plan, at = read_number_plan(), row["event_time"]
    same = (same_person(row[f"own_{name}"], row[f"first_{name}"], at, plan) for name in PARTIES)
    return "repeat" if row["has_same_content"] and all(same) else "conflict"


def _masked(party: str | None) -> str | None:
    """`msisdn:…56` of `msisdn:256777123456`."""
    if party is None:
        return None
    kind, _, value = party.partition(":")
    return f"{kind}:…{value[-2:]}"
