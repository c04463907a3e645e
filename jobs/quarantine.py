"""Quarantine: the refused records with their reasons and states, read and written without Spark.

A row is open until a retry releases it to silver (`retry`), or until it is closed: by a person, with a reason, or as
the repeat it turned out to be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql.pandas.types import to_arrow_schema

from jobs import rules
from jobs.errors import NotFound, SettingsError
from jobs.lake import Lake, instant, text
from schemas.tables import BRONZE, CONFLICT_RULE, QUARANTINE

STATES = OPEN, RELEASED, CLOSED = ("open", "released", "closed")
PLACE = ("topic", "partition", "offset")
# The values of a row there.
Place = tuple[str, int, int]
# What refused a row when the rules looked last; of one that has passed since, what refused it at first.
RULES_NOW = "CASE WHEN cardinality(last_broken_rules) > 0 THEN last_broken_rules ELSE broken_rules END"

_TYPES = {field.name: field.type for field in to_arrow_schema(QUARANTINE.schema, timezone="UTC")}


@dataclass(frozen=True)
class Selection:
    """Which rows: those that meet everything it says. `place` is topic, partition and offset."""

    state: str | None = None
    code: str | None = None
    since: datetime | None = None
    reference: str | None = None
    place: Place | None = None

    @property
    def condition(self) -> str:
        """As SQL."""
        conditions = ["true"]
        if self.state is not None:
            conditions.append(f"state = {text(self.state)}")
        if self.code is not None:
            conditions.append(f"array_has({RULES_NOW}, {text(self.code)})")
        if self.since is not None:
            conditions.append(f"first_seen_at >= {instant(self.since)}")
        if self.reference is not None:
            conditions.append(f"transaction_reference = {text(self.reference)}")
        if self.place is not None:
            conditions.append(at_place(self.place))
        return " AND ".join(conditions)


def at_place(place: Place) -> str:
    """SQL: the row is of this Kafka record."""
    topic, partition, offset = place
    return f'topic = {text(topic)} AND "partition" = {partition} AND "offset" = {offset}'


def require_known_rule(lake: Lake, code: str | None) -> None:
    """Raise `SettingsError` for a code that is no rule's name, neither today's nor one that has refused a row here."""
    of_today = {rule.name for rule in (*rules.STRUCTURE_RULES, *rules.TRANSACTION_RULES)} | {CONFLICT_RULE}
    if code is None or code in of_today:
        return
    found = lake.query(f"SELECT DISTINCT unnest({RULES_NOW}) AS rule FROM {QUARANTINE.name}")["rule"].to_pylist()
    if code not in found:
        known = ", ".join(sorted(of_today | set(found)))
        raise SettingsError(f"--code is '{code}', which is no rule: choose from {known}.")


def count(lake: Lake, selection: Selection) -> int:
    """How many rows are selected."""
    return int(lake.value(f"SELECT count(*) FROM {QUARANTINE.name} WHERE {selection.condition}"))


def newest(lake: Lake, selection: Selection, limit: int | None = None) -> list[dict[str, Any]]:
    """The selected rows, newest arrival first, with `rules_now` beside the table's columns."""
    at_most = "" if limit is None else f"LIMIT {limit}"
    rows: list[dict[str, Any]] = lake.query(f"""
        SELECT *, {RULES_NOW} AS rules_now FROM {QUARANTINE.name} WHERE {selection.condition}
        ORDER BY first_seen_at DESC, topic, "partition", "offset" DESC {at_most}
    """).to_pylist()
    return rows


def waiting(lake: Lake, selection: Selection, again: bool) -> dict[Place, int]:
    """Place → tries of the selected open rows that today's rules have not looked at; with `again`, of all of these."""
    unseen = "true" if again else f"(rules_version IS DISTINCT FROM {rules.RULES_VERSION})"
    rows = lake.query(f"""
        SELECT topic, "partition", "offset", tries FROM {QUARANTINE.name}
        WHERE state = '{OPEN}' AND {unseen} AND {selection.condition}
    """).to_pylist()
    return {place_of(row): row["tries"] for row in rows}


def place_of(row: Mapping[str, Any]) -> Place:
    """Topic, partition and offset of a row."""
    return row["topic"], row["partition"], row["offset"]


def places_table(places: Sequence[Place]) -> pa.Table:
    """Places as a table of three columns."""
    return pa.table({name: pa.array([place[i] for place in places], _TYPES[name]) for i, name in enumerate(PLACE)})


def payload(lake: Lake, place: Place) -> str | None:
    """What the record holds, as it came, bytes that are no UTF-8 spelt out; null for a record without a value."""
    rows = lake.query(f"SELECT payload, payload_bytes FROM {BRONZE.name} WHERE {at_place(place)}").to_pylist()
    if not rows:
        raise NotFound(f"Bronze has no record of {' '.join(map(str, place))}: see `momo reconcile`.")
    as_bytes: bytes | None = rows[0]["payload_bytes"]
    as_text: str | None = rows[0]["payload"]
    return as_text if as_bytes is None else as_bytes.decode(errors="backslashreplace")


def close(lake: Lake, selection: Selection, reason: str) -> int:
    """Close the selected open rows; how many."""
    rows = [row for row in newest(lake, selection) if row["state"] == OPEN]
    record(lake, [{**{name: row[name] for name in PLACE}, "state": CLOSED, "closed_reason": reason} for row in rows])
    return len(rows)


def record(lake: Lake, changed: Sequence[Mapping[str, Any]]) -> None:
    """Put values into open rows, by their places; all with the same columns. A row that was released is put right."""
    if not changed:
        return
    columns = [name for name in QUARANTINE.column_names if name in changed[0]]
    rows = pa.table({name: pa.array([row[name] for row in changed], _TYPES[name]) for name in columns})
    same = " AND ".join(f'target."{name}" = source."{name}"' for name in PLACE)
    first, last = (end.as_py() for end in (pc.min(rows["offset"]), pc.max(rows["offset"])))
    with lake.writing(QUARANTINE):
        (
            DeltaTable(lake.table_path(QUARANTINE))
            # Offsets spelt out let delta-rs leave other files alone.
            .merge(
                rows,
                f'{same} AND target."offset" >= {first} AND target."offset" <= {last}',
                source_alias="source",
                target_alias="target",
            )
            # Who closed it meanwhile did not know that it is in silver.
            .when_matched_update(
                predicate=f"target.state = '{OPEN}' OR source.state = '{RELEASED}'",
                updates={name: f'source."{name}"' for name in columns if name not in PLACE},
            )
            .execute()
        )
