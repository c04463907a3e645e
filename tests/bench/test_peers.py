import collections
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import deltalake
import pyarrow.dataset as ds
import pytest

from infra.bench.answers import differences
from infra.bench.registry import CONTESTANTS
from infra.bench.warm_process import WarmProcess

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

PEERS = ("polars", "pyflink")


@pytest.fixture(scope="module", params=PEERS)
def rounds(request, filled, tmp_path_factory):
    """A contestant's name and its folders after two rounds of one warm process."""
    contestant = CONTESTANTS[request.param]
    folder = tmp_path_factory.mktemp(contestant.name)
    kafka = ["--bootstrap", filled.kafka.bootstrap, "--topic", filled.kafka.topic]
    process = WarmProcess(contestant.name, [*contestant.command(), *kafka], folder / "log")
    folders = [folder / "first", folder / "second"]
    try:
        process.wait_until_ready()
        for empty in folders:
            empty.mkdir()
            process.drain(empty, broker_pid=None)
    finally:
        process.close()
    return contestant, folders


def test_each_round_of_a_peer_has_every_record_and_every_amount_once(rounds, truth):
    contestant, folders = rounds

    for folder in folders:
        assert differences(folder, contestant.tables, truth) == []


def test_the_windows_of_a_peer_are_those_of_the_events(rounds, events):
    contestant, folders = rounds

    rows = gold(contestant.tables.kind, folders[-1] / "gold").to_pylist()

    assert len(rows) == len({key_of(row) for row in rows})
    assert {key_of(row): measures_of(row) for row in rows} == windows(events)


def gold(kind: str, folder: Path):
    return deltalake.DeltaTable(folder).to_pyarrow_table() if kind == "delta" else ds.dataset(folder).to_table()


def key_of(row: dict) -> tuple:
    # Flink's Parquet says that a time is UTC by saying nothing.
    start = row["window_start"].replace(tzinfo=row["window_start"].tzinfo or UTC)
    return start.astimezone(UTC), row["transaction_type"], row["currency"], row["channel"]


def measures_of(row: dict) -> tuple[int, int, Decimal]:
    return row["event_count"], row["transaction_count"], row["amount"]


def windows(events: list[dict]) -> dict[tuple, tuple[int, int, Decimal]]:
    """Per minute, type, currency and channel: events, completed transactions and their amount."""
    counted = collections.defaultdict(lambda: (0, 0, Decimal(0)))
    for event in events:
        text = event.get("modificationDate") or event.get("creationDate") or event["requestDate"]
        minute = datetime.fromisoformat(text).astimezone(UTC).replace(second=0, microsecond=0)
        channel = next((pair["value"] for pair in event["metadata"] if pair["key"] == "channel"), "unknown")
        key = (minute, event["type"], event["currency"], channel)
        is_completed = event["transactionStatus"] == "completed"
        every, completed, amount = counted[key]
        counted[key] = (every + 1, completed + is_completed, amount + Decimal(event["amount"]) * is_completed)
    return dict(counted)
