"""Repeats that came when the first of their key was no longer remembered: found in silver, and taken out of it.

The first in Kafka's order stays. A later row that says the same goes, as it would have on its way to silver; one that
says something else goes to quarantine.
"""

from collections.abc import Mapping
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from jobs.corrections import PLACE, remove_rows
from jobs.lake import Lake
from jobs.reconciliation import PARTIES, quarantine_conflicts, same_content, same_record
from jobs.tokens import same_token
from schemas.tables import QUARANTINE, SILVER


def find(lake: Lake, first: date, end: date) -> pa.Table:
    """The later rows of silver with one key, dated from `first` to before `end`: their place in Kafka and in time.

    `is_same` tells a repeat from a contradiction. Memory is needed for the keys of these days, not for those of silver.
    """
    of_days = f"event_date >= '{first}' AND event_date < '{end}'"
    repeated = f"""
        SELECT s.transaction_reference, s.status FROM {SILVER.name} s
        LEFT SEMI JOIN (SELECT * FROM {SILVER.name} WHERE {of_days}) d ON {_same_key("s", "d")}
        GROUP BY s.transaction_reference, s.status HAVING count(*) > 1
    """
    ranked = f"""
        SELECT s.*, row_number() OVER (
            PARTITION BY s.transaction_reference, s.status
            ORDER BY s.kafka_timestamp, s.topic, s."partition", s."offset"
        ) AS place
        FROM {SILVER.name} s LEFT SEMI JOIN ({repeated}) r ON {_same_key("s", "r")}
    """
    rows = lake.query(f"""
        SELECT DISTINCT l.topic, l."partition", l."offset", l.kafka_timestamp, l.transaction_reference,
               l.amount, l.currency, l.event_time, l.event_date, {same_content("l", "f")} AS has_same_content,
               {", ".join(f"l.{name}, f.{name} AS first_{name}" for name in PARTIES)}
        FROM (SELECT * FROM ({ranked}) WHERE place > 1 AND {of_days}) l
        JOIN (SELECT * FROM ({ranked}) WHERE place = 1) f ON {_same_key("l", "f")}
        WHERE NOT ({same_record("l", "f")})
    """)
    is_same = [
        row["has_same_content"] and all(same_token(row[name], row[f"first_{name}"]) for name in PARTIES)
        for row in rows.to_pylist()
    ]
    return rows.append_column("is_same", pa.array(is_same, pa.bool_()))


def _same_key(a: str, b: str) -> str:
    return " AND ".join(f"{a}.{name} = {b}.{name}" for name in SILVER.key)


def removable(repeats: pa.Table, closed_before: datetime, again: Mapping[tuple[str, int], int]) -> pa.Table:
    """Those whose windows are closed, and that the stream's next start does not carry `again`."""
    is_past = [
        row["event_time"] < closed_before
        and row["offset"] < again.get((row["topic"], row["partition"]), row["offset"] + 1)
        for row in repeats.select([*PLACE, "event_time"]).to_pylist()
    ]
    return repeats.filter(pa.array(is_past, pa.bool_()))


def remove(lake: Lake, repeats: pa.Table) -> None:
    """Take them out of silver; safe to repeat after a kill.

    Contradictions go to quarantine before: what is killed in between has left them in both places, never in none.
    """
    quarantine_conflicts(lake, _not_in_quarantine(lake, repeats.filter(pc.invert(repeats["is_same"]))))
    remove_rows(lake, SILVER, repeats)


def _not_in_quarantine(lake: Lake, conflicts: pa.Table) -> pa.Table:
    if not conflicts.num_rows:
        return conflicts
    since = pc.min(conflicts["offset"]).as_py()
    there = lake.query(f'SELECT topic, "partition", "offset" FROM {QUARANTINE.name} WHERE "offset" >= {since}')
    return conflicts.join(there, list(PLACE), join_type="left anti")
