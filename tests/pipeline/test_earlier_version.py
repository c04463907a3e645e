"""A lake that an earlier version made: it gets the columns it lacks, and the stream goes on."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jobs import backfill_transactions
from jobs.command_line import run
from jobs.lake import Lake
from schemas.tables import BRONZE, SILVER, TABLES, TRANSACTION_LATER
from tests.builders import bronze_rows, gsma, put_rows
from tests.insights import step
from tests.pipeline.conftest import Stream

# One of those that came later.
ADDED = "failure_reason"
LATER = [column.name for column in TRANSACTION_LATER]
EARLIER = {
    table: replace(table, columns=tuple(column for column in table.columns if column.name not in LATER))
    for table in (BRONZE, SILVER)
}


@pytest.fixture
def earlier(spark, tmp_path):
    """One of before the column, with a transaction that no window has counted."""
    lake = Lake(tmp_path / "lake")
    lake.create([EARLIER.get(table, table) for table in TABLES])
    put_rows(lake, EARLIER[SILVER], step("OLD-1", "transfer", "ke1", "ke2", "100", "2026-03-27 17:58:00"))
    return Stream(spark, lake, tmp_path / "topic")


def test_the_stream_goes_on_with_a_column_that_is_new(earlier):
    assert ADDED not in earlier.lake.open(SILVER).schema().to_arrow().names

    earlier.lake.create()
    failed = {"transactionStatus": "failed", "metadata": [{"key": ADDED, "value": "insufficientFunds"}]}
    earlier.run(gsma(transactionReference="NEW-1", **failed))

    found = f"SELECT transaction_reference, {ADDED} FROM {SILVER.name} ORDER BY transaction_reference"
    assert earlier.rows(found) == [("NEW-1", "insufficientFunds"), ("OLD-1", None)]
    assert earlier.rows(f"SELECT {ADDED} FROM {BRONZE.name}") == [("insufficientFunds",)]
    assert earlier.rows("SELECT sum(event_count), sum(failed_count) FROM gold_transactions_per_minute") == [(2, 1)]


def test_making_the_tables_again_adds_nothing_twice(earlier):
    earlier.lake.create()
    version = earlier.lake.newest_version(SILVER)

    earlier.lake.create()

    assert earlier.lake.newest_version(SILVER) == version
    assert earlier.lake.open(SILVER).schema().to_arrow().names == SILVER.column_names


def test_a_backfill_reads_the_new_column_from_the_payloads(earlier):
    failed = {"transactionStatus": "failed", "metadata": [{"key": ADDED, "value": "insufficientFunds"}]}
    old = gsma(transactionReference="OLD-2", creationDate="2026-03-25T10:00:00Z", **failed)
    arrived = datetime(2026, 3, 25, 10, 0, 1, tzinfo=UTC)
    place = {"topic": "momo.transactions", "partition": 1, "offset": 0, "kafka_timestamp": arrived}
    [read] = bronze_rows(earlier.spark, [old]).drop(ADDED).toArrow().to_pylist()
    put_rows(earlier.lake, EARLIER[BRONZE], read | place)
    earlier.lake.create()
    earlier.run(gsma(transactionReference="NEW-1"))
    found = f"SELECT {ADDED} FROM {SILVER.name} WHERE transaction_reference = 'OLD-2'"
    assert earlier.rows(found) == [(None,)]

    days = ["--from", "2026-03-25", "--to", "2026-03-26", "--tables", "silver", "--lake", str(earlier.lake.path)]
    assert run(backfill_transactions.main, days) == 0

    assert earlier.rows(found) == [("insufficientFunds",)]
    assert earlier.rows(f"SELECT {ADDED} FROM {BRONZE.name} WHERE partition = 1") == [("insufficientFunds",)]
