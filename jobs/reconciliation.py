"""The proof that nothing was lost, doubled or changed on the way from Kafka to gold.

Computed by delta-rs, not by the engine that wrote the tables, and from rows alone: no counter of the stream is trusted.
Silver's parties are tokens of bronze's: they are made again here, by Python, with the keys.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake

from jobs import rules
from jobs.key_ring import KeyRing
from jobs.lake import Lake
from jobs.money_proof import MoneyLine, money_lines
from jobs.offset_proof import held_offsets, offset_differences
from jobs.party_proof import PartyProof
from jobs.provenance import Loss, accepted_losses
from schemas.tables import BRONZE, CONFLICT_RULE, QUARANTINE, SILVER

# Of two rows with one key: what both must say to be the same event, and whom both must name. Bronze names persons in
# clear and silver by tokens, so SQL cannot compare these.
CONTENT = ("transaction_type", "amount", "currency", "fee_amount", "event_time")
PARTIES = ("debit_party", "credit_party")


def same_record(a: str, b: str) -> str:
    """SQL: two rows are of one Kafka record."""
    return " AND ".join(f'{a}."{name}" = {b}."{name}"' for name in ("topic", "partition", "offset"))


def same_content(a: str, b: str) -> str:
    """SQL: two rows say the same of a transaction."""
    # In brackets, for the SQL parser binds IS DISTINCT FROM less tightly than AND.
    return " AND ".join(f"({a}.{name} IS NOT DISTINCT FROM {b}.{name})" for name in CONTENT)


# Bronze rows that are in neither silver nor quarantine, beside the silver row of the same key where there is one.
LEFT_OVER = f"""
    SELECT b.topic, b."partition", b."offset", b.kafka_timestamp, b.transaction_reference, b.amount, b.currency,
           k."offset" IS NOT NULL AS has_first, {same_content("b", "k")} AS has_same_content, b.event_time,
           {", ".join(f"b.{name}, k.{name} AS first_{name}" for name in PARTIES)}
    FROM {BRONZE.name} b
    LEFT ANTI JOIN {SILVER.name} s ON {same_record("b", "s")}
    LEFT ANTI JOIN {QUARANTINE.name} q ON {same_record("b", "q")}
    LEFT JOIN {SILVER.name} k
        ON cardinality(b.broken_rules) = 0 AND k.transaction_reference = b.transaction_reference AND k.status = b.status
"""

# Rows that a retry has released to silver: bronze holds what the rules of then read, quarantine what those of today do.
RELEASED = f"(SELECT * FROM {QUARANTINE.name} WHERE state = 'released')"
REFUSED = f"(SELECT * FROM {QUARANTINE.name} WHERE state IS DISTINCT FROM 'released')"
REPEATED = "silver rows whose key is there already"

# Each counts rows of which there must be none.
FAULTS = {
    "records that are in bronze more than once": f"""
        SELECT count(*) - count(DISTINCT (topic || ' ' || "partition" || ' ' || "offset")) FROM {BRONZE.name}""",
    REPEATED: f"""
        SELECT count(*) - count(DISTINCT (transaction_reference || ' ' || status)) FROM {SILVER.name}""",
    "records that are in quarantine more than once": f"""
        SELECT count(*) - count(DISTINCT (topic || ' ' || "partition" || ' ' || "offset")) FROM {QUARANTINE.name}""",
    "records that are in silver and in quarantine": f"""
        SELECT count(*) FROM {SILVER.name} s JOIN {REFUSED} q ON {same_record("s", "q")}""",
    "records released from quarantine that silver does not have": f"""
        SELECT count(*) FROM {RELEASED} q LEFT ANTI JOIN {SILVER.name} s ON {same_record("q", "s")}""",
    "records whose money in silver is not what was released": f"""
        SELECT count(*) FROM {SILVER.name} s JOIN {RELEASED} q ON {same_record("s", "q")}
        WHERE (s.amount IS DISTINCT FROM q.amount) OR (s.currency IS DISTINCT FROM q.currency)""",
    "silver rows that bronze does not have": f"""
        SELECT count(*) FROM {SILVER.name} s LEFT ANTI JOIN {BRONZE.name} b ON {same_record("s", "b")}""",
    "quarantine rows that bronze does not have": f"""
        SELECT count(*) FROM {QUARANTINE.name} q LEFT ANTI JOIN {BRONZE.name} b ON {same_record("q", "b")}""",
    "silver rows that say something else than bronze": f"""
        SELECT count(*) FROM {SILVER.name} s JOIN {BRONZE.name} b ON {same_record("s", "b")}
        LEFT ANTI JOIN {RELEASED} q ON {same_record("s", "q")}
        WHERE NOT ({same_content("s", "b")})""",
}  # fmt: skip


@dataclass(frozen=True)
class Reconciliation:
    """Rows per place, money per currency, and every difference as a sentence; `behind` are records not yet carried.

    What was released from quarantine counts in silver alone. `kafka` counts losses that were accepted, for Kafka had
    acknowledged them.
    """

    kafka: int
    bronze: int
    silver: int
    quarantine: int
    repeats: int
    conflicts: int
    behind: int
    losses: tuple[Loss, ...]
    money: tuple[MoneyLine, ...]
    differences: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Everything is carried and everything agrees."""
        return not self.differences and not self.behind

    def as_dict(self) -> dict[str, Any]:
        """For JSON; money as text, for a JSON number would be read as a double."""
        money = [{**asdict(line), "silver": str(line.silver), "gold": str(line.gold)} for line in self.money]
        return {**asdict(self), "money": money, "differences": list(self.differences), "clean": self.is_clean}


def reconcile(lake: Lake, topic: str, kafka_offsets: Mapping[int, tuple[int, int]], ring: KeyRing) -> Reconciliation:
    """Compare the topic (first and next offset per partition) with the tables, and silver with gold.

    Raises `SettingsError` when the ring lacks a key that tokens of silver were made with.
    """
    losses = accepted_losses(lake.path, topic)
    held = held_offsets(lake, topic, losses)
    kafka = sum(end - min(begin, held.get(p, (begin,))[0]) for p, (begin, end) in kafka_offsets.items())
    rows, proof = uncarried(lake), PartyProof(ring)
    _, is_repeat = _with_first(lake, proof)
    repeats = pc.sum(is_repeat).as_py() or 0
    differences = [
        *offset_differences(kafka_offsets, held),
        *(f"{found} {fault}" for fault, sql in FAULTS.items() if (found := lake.value(sql))),
        *_party_differences(lake, proof),
    ]
    differences = [f"{it}: {_way_out(lake)}" if it.endswith(REPEATED) else it for it in differences]
    if rows["lost"]:
        differences.append(f"{rows['lost']} bronze rows are in neither silver nor quarantine, though later ones are")
    money = money_lines(lake)
    if not rows["waiting"]:
        differences += [
            f"{line.measure} in {line.currency}: {line.silver} in silver, {line.gold} in gold"
            for line in money
            if not line.agrees
        ]
    missing = sum(max(0, end - held.get(p, (begin, begin))[1]) for p, (begin, end) in kafka_offsets.items())
    return Reconciliation(
        kafka=kafka,
        bronze=_count(lake, BRONZE.name),
        silver=_count(lake, SILVER.name),
        quarantine=_count(lake, REFUSED),
        repeats=repeats,
        conflicts=len(is_repeat) - repeats,
        behind=missing + rows["waiting"],
        losses=tuple(losses),
        money=tuple(money),
        differences=tuple(differences),
    )


def record_conflicts(lake: Lake, ring: KeyRing) -> int:
    """Put repeats that contradict the first of their key into quarantine; how many were found. Needs the lake's lock.

    The stream lets the first in Kafka's order through and drops the others; this makes the contradiction visible.
    """
    rows, is_same = _with_first(lake, PartyProof(ring))
    rows = rows.filter(pc.invert(is_same))
    quarantine_conflicts(lake, rows)
    return int(rows.num_rows)


def quarantine_conflicts(lake: Lake, rows: pa.Table) -> None:
    """Put these records (place and time in Kafka, reference, amount, currency) into quarantine as contradictions."""
    if rows.num_rows:
        added: dict[str, tuple[Any, pa.DataType]] = {
            "broken_rules": ([CONFLICT_RULE], pa.list_(pa.string())),
            "tries": (1, pa.int32()),
            "state": ("open", pa.string()),
            "last_broken_rules": (None, pa.list_(pa.string())),
            "rules_version": (rules.RULES_VERSION, pa.int32()),
            "last_tried_at": (None, pa.timestamp("us", "UTC")),
            "closed_reason": (None, pa.string()),
        }
        for name, (value, type_) in added.items():
            rows = rows.append_column(name, pa.array([value] * rows.num_rows, type_))
        rows = rows.append_column("first_seen_at", rows["kafka_timestamp"])
        # Named anew: the answer's columns carry the comments of the tables they come from.
        quarantined = pa.table({name: rows[name] for name in QUARANTINE.column_names})
        with lake.writing(QUARANTINE):
            write_deltalake(lake.table_path(QUARANTINE), quarantined, mode="append")


def quarantine_reasons(lake: Lake) -> dict[str, int]:
    """Rows of quarantine by the rule that refused them at first; a row that breaks two rules counts in both."""
    each = f"SELECT unnest(broken_rules) AS rule FROM {QUARANTINE.name}"
    rows = lake.query(f"SELECT rule, count(*) AS n FROM ({each}) GROUP BY rule ORDER BY n DESC, rule")
    return dict(zip(rows["rule"].to_pylist(), rows["n"].to_pylist(), strict=True))


def _way_out(lake: Lake) -> str:
    """How to be rid of repeats in silver."""
    keys = ", ".join(SILVER.key)
    repeated = f"SELECT {keys} FROM {SILVER.name} GROUP BY {keys} HAVING count(*) > 1"
    same_key = " AND ".join(f"s.{name} = r.{name}" for name in SILVER.key)
    rows = f"{SILVER.name} s LEFT SEMI JOIN ({repeated}) r ON {same_key}"
    days = lake.query(f"SELECT min(event_date) AS first, max(event_date) AS last FROM {rows}").to_pylist()[0]
    return f"run `momo backfill --from {days['first']} --to {days['last'] + timedelta(days=1)}`"


def _count(lake: Lake, table: str) -> int:
    return int(lake.value(f"SELECT count(*) FROM {table}"))


def uncarried(lake: Lake) -> dict[str, int]:
    """Bronze rows in neither silver nor quarantine and no repeats: `waiting` to be carried there, or `lost`."""
    carried = f"""
        SELECT topic, "partition", max("offset") AS last FROM (
            SELECT topic, "partition", "offset" FROM {SILVER.name}
            UNION ALL SELECT topic, "partition", "offset" FROM {QUARANTINE.name}
        ) GROUP BY topic, "partition"
    """
    row = lake.query(f"""
        SELECT count(*) FILTER (WHERE l."offset" > coalesce(c.last, -1)) AS waiting,
               count(*) FILTER (WHERE l."offset" <= c.last) AS lost
        FROM (SELECT * FROM ({LEFT_OVER}) WHERE NOT has_first) l
        LEFT JOIN ({carried}) c ON c.topic = l.topic AND c."partition" = l."partition"
    """).to_pylist()[0]
    return {name: int(value) for name, value in row.items()}


def _with_first(lake: Lake, proof: PartyProof) -> tuple[pa.Table, pa.Array]:
    """Left-over bronze rows whose key is in silver, and which of them say the same there."""
    rows = lake.query(f"SELECT * FROM ({LEFT_OVER}) WHERE has_first")
    is_same = pc.and_(rows["has_same_content"].combine_chunks(), proof.same_parties(rows, PARTIES))
    return rows, is_same


def _party_differences(lake: Lake, proof: PartyProof) -> list[str]:
    differences = []
    for name in PARTIES:
        rows = lake.query(f"""
            SELECT b.{name} AS in_bronze, s.{name} AS in_silver, min(b.event_time) AS at, count(*) AS n
            FROM {SILVER.name} s JOIN {BRONZE.name} b ON {same_record("s", "b")}
            LEFT ANTI JOIN {RELEASED} q ON {same_record("s", "q")}
            GROUP BY b.{name}, s.{name}, {proof.era("b.event_time")}
        """)
        if found := proof.count_others(rows):
            differences.append(f"{found} silver rows whose {name} is not made of bronze's")
    return differences
