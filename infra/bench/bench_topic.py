"""The benchmark's topic: filled once with simulated transactions, whose counts and sums are the truth for all."""

import json
import sys
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import orjson

from infra.topics import create_topic, end_offsets
from jobs.errors import DataCheckFailed, PlatformError
from jobs.settings import Settings
from producers.contract import Contract
from producers.delivery import Delivery
from producers.events import Record
from producers.simulation import SimulationPlan, simulate
from producers.wire import RawRecord, WireRecord

# An evening hour of March 2026: the past, for an event dated ahead of its arrival would be quarantined.
START = datetime(2026, 3, 27, 16, tzinfo=UTC)
PARTITIONS = 2
RETENTION_DAYS = 3650
RECORDS_BETWEEN_LINES = 50_000


@dataclass(frozen=True)
class Truth:
    """What a drain of the topic must find: `records` events, each (reference, status) once, none that breaks a rule.

    `amount` is the sum over all events, `completed_amount` over the completed ones, in mixed currencies: a checksum.
    """

    topic: str
    records: int
    seed: int
    amount: Decimal
    completed: int
    completed_amount: Decimal


def bench_settings(settings: Settings, folder: Path, bootstrap: str, topic: str) -> Settings:
    """The settings with the benchmark's own broker, and a topic that keeps its records from one run to the next."""
    kept = {"partitions": PARTITIONS, "retention_days": RETENTION_DAYS}
    return settings.model_copy(
        update={
            "kafka": settings.kafka.model_copy(update={"bootstrap": bootstrap, "topic": topic}),
            "topic": settings.topic.model_copy(update=kept),
            "broker": settings.broker.model_copy(update={"folder": str(folder / "kafka")}),
        }
    )


def with_topic(settings: Settings, topic: str, retention_days: int = RETENTION_DAYS) -> Settings:
    """The same settings with another topic, which keeps its records for so long."""
    return settings.model_copy(
        update={
            "kafka": settings.kafka.model_copy(update={"topic": topic}),
            "topic": settings.topic.model_copy(update={"retention_days": retention_days}),
        }
    )


def filled_topic(settings: Settings, folder: Path, rows: int, seed: int) -> Truth:
    """The truth of a topic with so many records of this seed; filled anew when this broker holds none.

    Raises `DataCheckFailed` when the simulation repeats a key, or the broker has not kept each record once.
    """
    file = folder / f"truth-{rows}-{seed}.json"
    if (known := _read(file)) and _is_whole(settings, known):
        return known
    truth = _fill(with_topic(settings, f"bench.{uuid.uuid4().hex[:12]}"), rows, seed)
    if not _is_whole(settings, truth):
        raise DataCheckFailed(f"The topic {truth.topic} does not hold {rows:,} records after filling: run it again.")
    file.write_text(json.dumps(asdict(truth), default=str, indent=1) + "\n")
    return truth


def _read(file: Path) -> Truth | None:
    if not file.exists():
        return None
    known = json.loads(file.read_text())
    money = {name: Decimal(known[name]) for name in ("amount", "completed_amount")}
    return Truth(**{**known, **money})


def _is_whole(settings: Settings, truth: Truth) -> bool:
    try:
        offsets = end_offsets(with_topic(settings, truth.topic))
    except PlatformError:
        # Another broker, or its data is gone.
        return False
    return sum(end - begin for begin, end in offsets.values()) == truth.records


def _fill(settings: Settings, rows: int, seed: int) -> Truth:
    create_topic(settings)
    truth = Truth(settings.kafka.topic, 0, seed, Decimal(0), 0, Decimal(0))
    keys: set[tuple[str, str]] = set()
    with Delivery(settings, settings.topic.max_message_bytes, _too_large) as delivery:
        for event, record in simulated_records(rows, seed):
            delivery.send(record)
            keys.add((event["transactionReference"], event["transactionStatus"]))
            truth = _counted(truth, event)
            if truth.records % RECORDS_BETWEEN_LINES == 0:
                sys.stderr.write(f"bench: filled {truth.records:,} of {rows:,} records\n")
        delivery.finish()
    if len(keys) != truth.records:
        raise DataCheckFailed(f"The simulation repeats {truth.records - len(keys)} of its keys: give another --seed.")
    return truth


def simulated_records(rows: int, seed: int) -> Iterator[tuple[Record, WireRecord]]:
    """So many events of one hour, each with how it goes to Kafka once the producer's own check has passed it."""
    # A customer for each event, or everybody would do in an hour what only fraud does, and alerts were all there is.
    plan = SimulationPlan(seed, START, hours=1, events=rows, customers=max(20_000, rows))
    contract = Contract(dummy_time_zone="UTC", record_format="gsma")
    for line, event in enumerate(simulate(plan), start=1):
        checked = contract.check(RawRecord(line, orjson.dumps(event)))
        if not isinstance(checked, WireRecord):
            raise DataCheckFailed(f"The simulation made a record that the contract refuses: {checked[0]}.")
        yield event, checked


def _counted(truth: Truth, event: Record) -> Truth:
    amount = Decimal(event["amount"])
    is_completed = event["transactionStatus"] == "completed"
    return Truth(
        topic=truth.topic,
        records=truth.records + 1,
        seed=truth.seed,
        amount=truth.amount + amount,
        completed=truth.completed + is_completed,
        completed_amount=truth.completed_amount + amount * is_completed,
    )


def _too_large(record: WireRecord) -> None:
    raise DataCheckFailed(f"The simulation made a record of {len(record.value or b''):,} bytes, more than Kafka takes.")
