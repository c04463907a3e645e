"""What must be true after every heal, told by Kafka's own records and by sums in Python: nothing of the product is asked."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from kafka import KafkaConsumer, TopicPartition

from infra.topics import end_offsets
from tests.system.faults.points import BRONZE, CORRIDOR, PER_MINUTE, SILVER
from tests.system.faults.rig import Rig
from tests.system.faults.traffic import PHONES, must_be_refused

AGENTS, QUARANTINE = "gold_agent_activity_5m", "quarantine_events"
Place = tuple[int, int]
Row = dict[str, Any]


@dataclass
class Witness:
    """Sees the topic and the tables after each heal, and remembers what it has seen."""

    rig: Rig
    records: dict[Place, bytes | None] = field(default_factory=dict)
    seen_rows: dict[Place, int] = field(default_factory=dict)
    seen_commits: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """All of them; an `AssertionError` says which one is broken. The tables have caught up and stand still."""
        self._read_topic()
        bronze, silver, quarantine = (self._rows(name) for name in (BRONZE, SILVER, QUARANTINE))
        self._every_line_was_sent()
        self._bronze_is_the_topic(bronze)
        self._each_record_is_in_one_place(silver, quarantine)
        self._money_is_conserved(silver)
        self._gold_is_what_silver_says(silver)
        self._nothing_seen_has_gone(silver)
        self._checkpoint_agrees_with_bronze(bronze)
        self._logs_are_whole()
        self._no_phone_number_was_said()

    def _rows(self, table: str) -> list[Row]:
        rows: list[Row] = DeltaTable(str(self.rig.lake / table)).to_pyarrow_table().to_pylist()
        return rows

    def _read_topic(self) -> None:
        settings = self.rig.settings
        ends = {partition: end for partition, (_, end) in end_offsets(settings).items()}
        with KafkaConsumer(bootstrap_servers=settings.kafka.bootstrap, auto_offset_reset="earliest") as consumer:
            partitions = {p: TopicPartition(settings.kafka.topic, p) for p in ends}
            consumer.assign(list(partitions.values()))
            for p, partition in partitions.items():
                consumer.seek(partition, sum(1 for at, _ in self.records if at == p))
            while len(self.records) < sum(ends.values()):
                for found in (one for some in consumer.poll(timeout_ms=1000).values() for one in some):
                    self.records[found.partition, found.offset] = found.value

    def _every_line_was_sent(self) -> None:
        missing = Counter(set(self.rig.lines)) - Counter(set(filter(None, self.records.values())))
        assert not missing, f"{len(missing)} acknowledged lines are not in the topic"

    def _bronze_is_the_topic(self, bronze: list[Row]) -> None:
        held = Counter(map(_place, bronze))
        assert held == Counter(self.records.keys()), _difference("bronze against the topic", held, self.records)
        for row in bronze:
            payload = row["payload"].encode() if row["payload"] is not None else row["payload_bytes"]
            assert payload == self.records[_place(row)], f"bronze holds another text than Kafka at {_place(row)}"

    def _each_record_is_in_one_place(self, silver: list[Row], quarantine: list[Row]) -> None:
        refused = {place for place, value in self.records.items() if must_be_refused(value)}
        firsts: dict[tuple[str, str], Place] = {}
        for place in sorted(self.records.keys() - refused):
            event = json.loads(self.records[place] or b"")
            firsts.setdefault((event["transactionReference"], event["transactionStatus"]), place)
        in_silver, in_quarantine = Counter(map(_place, silver)), Counter(map(_place, quarantine))
        assert in_quarantine == Counter(refused), _difference("quarantine", in_quarantine, refused)
        assert in_silver == Counter(firsts.values()), _difference("silver", in_silver, firsts.values())
        wrong = [row for row in silver if firsts[row["transaction_reference"], row["status"]] != _place(row)]
        assert not wrong, f"{len(wrong)} rows of silver are at another place than the first of their key"

    def _money_is_conserved(self, silver: list[Row]) -> None:
        sent: dict[str, Decimal] = defaultdict(Decimal)
        for place in map(_place, silver):
            event = json.loads(self.records[place] or b"")
            sent[event["currency"]] += Decimal(event["amount"])
        assert sent == _sums(silver, "currency", "amount"), "silver holds other amounts than the records of its rows"

    def _gold_is_what_silver_says(self, silver: list[Row]) -> None:
        for name, expected in (
            (PER_MINUTE, minutes_of(silver)),
            (AGENTS, agents_of(silver)),
            (CORRIDOR, corridors_of(silver)),
        ):
            rows = self._rows(name)
            columns = list(next(iter(expected), {}))
            found = Counter(tuple(row[column] for column in columns) for row in rows)
            wanted = Counter(tuple(row.values()) for row in expected)
            assert found == wanted, (
                f"{name} differs from silver: {(found - wanted)} is there, {(wanted - found)} should"
            )

    def _nothing_seen_has_gone(self, silver: list[Row]) -> None:
        rows = {_place(row): hash(tuple(map(str, row.values()))) for row in silver}
        gone = [place for place, row in self.seen_rows.items() if rows.get(place) != row]
        assert not gone, f"{len(gone)} rows of silver changed or went away: {gone[:5]}"
        self.seen_rows = rows

    def _checkpoint_agrees_with_bronze(self, bronze: list[Row]) -> None:
        reached: dict[str, int] = defaultdict(int)
        for partition, offset in map(_place, bronze):
            reached[str(partition)] = max(reached[str(partition)], offset + 1)
        recorded: Any = self.rig.read_offsets("ingest")
        told = {p: end for p, end in recorded[self.rig.settings.kafka.topic].items() if end}
        assert told == reached, f"the checkpoint is at {told}, bronze at {dict(reached)}"

    def _logs_are_whole(self) -> None:
        """Versions follow each other, and no commit that was seen has another content now."""
        for log in self.rig.lake.glob("*/_delta_log"):
            commits = sorted(path for path in log.glob("*.json") if path.stem.isdigit())
            versions = [int(path.stem) for path in commits]
            assert versions == list(range(versions[0], versions[-1] + 1)), f"{log} lacks a version"
            for path in commits:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                assert self.seen_commits.setdefault(str(path), content) == content, f"{path} was overwritten"

    def _no_phone_number_was_said(self) -> None:
        for log in self.rig.folder.glob("*.log"):
            assert not re.search(PHONES, log.read_text(errors="replace")), f"a phone number is in {log.name}"


def minutes_of(silver: Iterable[Row]) -> list[Row]:
    """The minutes that these rows of silver make."""
    windows = _grouped(silver, 1, "transaction_type", "currency", "channel")
    return [
        {
            **key,
            "event_count": len(rows),
            "transaction_count": len(done := _of_status(rows, "completed")),
            "amount": _total(done, "amount"),
            "failed_count": len(failed := _of_status(rows, "failed")),
            "failed_amount": _total(failed, "amount"),
            "fee_amount": _total(done, "fee_amount"),
            "distinct_payers": len({row["debit_party"] for row in done}),
            "largest_amount": max((row["amount"] for row in done), default=None),
        }
        for key, rows in windows
    ]


def agents_of(silver: Iterable[Row]) -> list[Row]:
    """The five minutes of agents that these rows of silver make."""
    windows = _grouped(_of_status([row for row in silver if row["agent_id"]], "completed"), 5, "agent_id", "currency")
    return [
        {
            **key,
            "cash_in_count": len(cash_in := [row for row in rows if row["transaction_type"] == "deposit"]),
            "cash_in_amount": (paid_in := _total(cash_in, "amount")),
            "cash_out_count": len(cash_out := [row for row in rows if row["transaction_type"] == "withdrawal"]),
            "cash_out_amount": (paid_out := _total(cash_out, "amount")),
            "net_float": paid_out - paid_in,
            "distinct_customers": len({*(r["credit_party"] for r in cash_in), *(r["debit_party"] for r in cash_out)}),
        }
        for key, rows in windows
    ]


def corridors_of(silver: Iterable[Row]) -> list[Row]:
    """The hours of corridors that these rows of silver make."""
    between = ("debit_country", "debit_operator", "credit_country", "credit_operator", "currency")
    return [
        {
            **key,
            "transaction_count": len(rows),
            "amount": _total(rows, "amount"),
            "fee_amount": _total(rows, "fee_amount"),
            "largest_amount": max(row["amount"] for row in rows),
        }
        for key, rows in _grouped(_of_status(list(silver), "completed"), 60, *between)
    ]


def _grouped(rows: Iterable[Row], minutes: int, *keys: str) -> list[tuple[Row, list[Row]]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        since = (row["event_time"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(minutes=minutes)
        start = datetime(1970, 1, 1, tzinfo=UTC) + since * timedelta(minutes=minutes)
        groups[(start, *(row[key] for key in keys))].append(row)
    return [(dict(zip(("window_start", *keys), key, strict=True)), rows) for key, rows in groups.items()]


def _of_status(rows: list[Row], status: str) -> list[Row]:
    return [row for row in rows if row["status"] == status]


def _total(rows: list[Row], column: str) -> Decimal:
    return sum((row[column] for row in rows), Decimal(0))


def _sums(rows: list[Row], key: str, column: str) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row[key]] += row[column]
    return sums


def _place(row: Row) -> Place:
    return row["partition"], row["offset"]


def _difference(what: str, found: "Counter[Place]", wanted: Iterable[Place]) -> str:
    more, fewer = found - Counter(wanted), Counter(wanted) - found
    return f"{what}: {sum(more.values())} too many {list(more)[:5]}, {sum(fewer.values())} missing {list(fewer)[:5]}"


def logs_of(folder: Path) -> str:
    """What the processes said last, for a failure's message."""
    return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in folder.glob("*.log"))
