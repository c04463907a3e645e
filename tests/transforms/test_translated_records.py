"""What adapters make of other formats' records is fit for silver, and means there what it meant to the provider."""

import json
from decimal import Decimal
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.metadata import BALANCES
from producers.contract import Contract
from producers.wire import RawRecord, WireRecord
from tests.builders import bronze_rows

SAMPLES = Path(__file__).parents[1] / "producers" / "samples"
EVENTS = sorted(SAMPLES.glob("*.event.json"))


def test_every_golden_event_is_accepted_with_its_amount_parties_and_time(spark: SparkSession) -> None:
    texts = [path.read_bytes() for path in EVENTS]
    rows = bronze_rows(spark, texts).orderBy("offset")
    columns = ["broken_rules", "amount", "currency", "debit_party", "credit_party", "channel", "status"]
    found = [tuple(row) for row in rows.select(*columns, F.unix_micros("event_time")).collect()]

    expected = []
    for text in texts:
        event, checked = json.loads(text), Contract("UTC").check(RawRecord(1, text))
        assert isinstance(checked, WireRecord) and checked.event_time
        parties = [f"{event[side][0]['key']}:{event[side][0]['value']}" for side in ("debitParty", "creditParty")]
        channel = {entry["key"]: entry["value"] for entry in event["metadata"]}.get("channel", "unknown")
        micros = round(checked.event_time.timestamp() * 1_000_000)
        expected.append(
            ([], Decimal(event["amount"]), event["currency"], *parties, channel, event["transactionStatus"], micros)
        )
    assert found == expected


def test_a_failure_has_the_reason_that_its_adapter_gives_it_as_far_as_gsma_has_one(spark: SparkSession) -> None:
    rows = bronze_rows(spark, [path.read_bytes() for path in EVENTS])
    failed = rows.filter(F.col("status") == "failed").groupBy("failure_reason").count()

    assert {row["failure_reason"]: row["count"] for row in failed.collect()} == {
        "unknown": 2,
        "insufficientFunds": 2,
        "identifierError": 1,
        "requestDeclined": 1,
    }
    assert rows.filter("status != 'failed' AND failure_reason IS NOT NULL").count() == 0


def test_the_balances_of_a_row_stand_at_the_side_of_the_account_they_are_of(spark: SparkSession) -> None:
    samples = [SAMPLES / f"{name}.event.json" for name in ("paysim_cash_in", "paysim_payment", "daraja_c2b_paybill")]
    rows = bronze_rows(spark, [path.read_bytes() for path in samples]).orderBy("offset").select(*BALANCES)

    nothing = "None"
    assert [tuple(map(str, row)) for row in rows.collect()] == [
        ("608932.1700", "465695.9100", "0.0000", "143236.2600"),
        ("170136.0000", "160296.3600", nothing, nothing),
        (nothing, nothing, nothing, "49197.0000"),
    ]
