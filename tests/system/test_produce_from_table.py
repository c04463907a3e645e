"""A table of another provider's records on its way into a real Kafka."""

import json
import sqlite3
import threading
from collections import Counter
from pathlib import Path

import pytest

from jobs.settings import Settings
from producers import source_tables
from producers.replay import ReplayCounts, ReplayOptions, replay
from tests.system.test_producer import consumed

pytestmark = pytest.mark.kafka

ROWS = 3_000
COLUMNS = "TransactionType, TransID, TransTime, TransAmount, BusinessShortCode, OrgAccountBalance, MSISDN"


def table_of_payments(path: Path) -> str:
    """C2B confirmations, of which every hundredth has a masked number and every thousandth no time."""
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE confirmations (id INTEGER PRIMARY KEY, {COLUMNS})")
        connection.executemany(
            f"INSERT INTO confirmations ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *("Pay Bill", f"RKT{number:07d}", "20260327105457" if number % 1000 else "", f"{number}.50"),
                    *("600638", "49197.00", f"2547083{number % 700:05d}" if number % 100 else "2547 ***** 149"),
                )
                for number in range(1, ROWS + 1)
            ],
        )
    connection.close()
    return f"sqlite:///{path}"


def test_a_table_of_daraja_rows_arrives_as_gsma_transactions_over_a_stop(
    topic: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_tables, "PAGE_ROWS", 200)
    options = ReplayOptions(
        source=table_of_payments(tmp_path / "payments.db"),
        query=f"SELECT id, {COLUMNS} FROM confirmations",
        cursor="id",
        resume=True,
        rate=1500,
        rejected=tmp_path / "rejected",
        positions=tmp_path / "positions",
    )
    stop = threading.Event()

    def stop_soon(counts: ReplayCounts) -> None:
        if counts.acknowledged > 500:
            stop.set()

    first = replay(options, topic, stop, stop_soon)
    (position,) = (tmp_path / "positions").iterdir()
    began_at = json.loads(position.read_text())["began_at"]
    second = replay(options, topic)
    assert 500 < first.read < ROWS <= first.read + second.read < ROWS + 200

    arrived = consumed(topic)
    assert len(arrived) == first.acknowledged + second.acknowledged
    texts = Counter(record.value for record in arrived)
    events = {json.loads(text)["transactionReference"]: json.loads(text) for text in texts}
    # What was sent twice was sent as the same text.
    assert len(texts) == len(events) == ROWS - 3
    for number in range(1, ROWS + 1):
        if number % 1000:
            event = events[f"RKT{number:07d}"]
            assert (event["amount"], event["currency"], event["type"]) == (f"{number}.50", "KES", "billpay")
            assert event["debitParty"][0]["key"] == ("msisdn" if number % 100 else "msisdnmasked")
            assert event["creationDate"] == "2026-03-27T10:54:57+03:00"
    kept = {json.loads(json.loads(line)["record"])["TransID"] for line in (tmp_path / "rejected").open()}
    assert kept == {"RKT0001000", "RKT0002000", "RKT0003000"}
    # The time of records that have none: the same in both runs, or what is sent twice would differ.
    assert json.loads(position.read_text())["began_at"] == began_at
    assert json.loads(position.read_text())["at"] == {"type": "int", "value": str(ROWS)}
    assert "SELECT" not in position.read_text()
