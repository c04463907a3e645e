import json
from datetime import UTC, datetime

import pytest

from jobs import trace_transaction
from jobs.command_line import run
from jobs.lake import Lake
from jobs.tracing import trace
from schemas.tables import BRONZE, QUARANTINE, SILVER
from tests.builders import agent_cash, gsma, put_rows

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)


def command(lake, *words):
    return run(trace_transaction.main, [*words, "--lake", str(lake.path)])


def test_every_record_of_a_transaction_is_told_with_its_verdict_and_its_windows(stream, capsys):
    cash_out = {"kind": "withdrawal", "agent": "AG-1", "customer": "256777000001", "transactionReference": "T-1"}
    stream.run(
        agent_cash(**cash_out, transactionStatus="pending"),
        agent_cash(**cash_out),
        agent_cash(**cash_out),
        agent_cash(**cash_out, amount="1"),
        gsma(transactionReference="T-2", type="reversal", originalTransactionReference="T-1"),
        agent_cash(**cash_out, amount="-1"),
        gsma(transactionReference="T-3"),
    )

    assert command(stream.lake, "T-1", "--json") == 0
    said = capsys.readouterr().out
    events = json.loads(said)["events"]

    first = ["momo.transactions", 0, 1]
    assert [(e["offset"], e["transaction_reference"], e["verdict"], e["first"]) for e in events] == [
        (0, "T-1", "silver", None),
        (1, "T-1", "silver", None),
        (2, "T-1", "repeat", first),
        (3, "T-1", "conflict", first),
        (4, "T-2", "silver", None),
        (5, "T-1", "quarantine", None),
    ]
    assert events[5]["broken_rules"] == ["bad_amount"]
    assert [[window["table"] for window in event["windows"]] for event in events] == [
        ["gold_transactions_per_minute"],
        ["gold_transactions_per_minute", "gold_agent_activity_5m", "gold_corridor_hourly"],
        [],
        [],
        ["gold_transactions_per_minute", "gold_corridor_hourly"],
        [],
    ]
    per_agent = events[1]["windows"][1]
    assert (per_agent["window_start"], per_agent["key"]) == ("2026-03-27 17:55:00+00:00", ["AG-1", "UGX"])
    assert (per_agent["is_final"], per_agent["revision"]) == (False, 0)
    files = {path.name for path in (stream.lake.path / BRONZE.name).glob("*.parquet")}
    assert {event["bronze_file"] for event in events} <= files

    assert "256777000001" not in said
    assert command(stream.lake, "T-1") == 0
    screen = capsys.readouterr().out
    assert "256777000001" not in screen
    assert "msisdn:…01 → identityalias:…-1" in screen
    assert command(stream.lake, "T-1", "--clear") == 0
    assert "256777000001" in capsys.readouterr().out


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.create()
    return lake


def test_a_record_whose_id_only_a_retry_could_read_is_found(lake):
    place = {"topic": "momo.transactions", "partition": 0, "offset": 3, "kafka_timestamp": NOON}
    put_rows(lake, BRONZE, {**place, "broken_rules": ["missing_reference"]})
    put_rows(lake, SILVER, {**place, "transaction_reference": "T-1", "status": "completed", "event_date": NOON.date()})
    put_rows(
        lake,
        QUARANTINE,
        {**place, "broken_rules": ["missing_reference"], "last_broken_rules": [], "state": "released", "tries": 2},
    )

    (event,) = trace(lake, "T-1").events

    assert (event.transaction_reference, event.status) == ("T-1", "completed")
    assert (event.verdict, event.state, event.broken_rules, event.tries) == (
        "silver",
        "released",
        ("missing_reference",),
        2,
    )


def test_a_record_that_silver_does_not_have_yet_is_on_its_way(lake, capsys):
    row = {"topic": "momo.transactions", "partition": 0, "offset": 3, "kafka_timestamp": NOON}
    put_rows(lake, BRONZE, {**row, "transaction_reference": "T-1", "status": "completed", "broken_rules": []})

    assert command(lake, "T-1") == 0

    assert "in bronze, on its way" in capsys.readouterr().out


def test_an_id_that_nothing_names_is_a_sentence(lake, capsys):
    assert command(lake, "O'T-1") == 65

    assert "names the transaction 'O'T-1': look at the ID" in capsys.readouterr().err
