from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from pyspark.errors import StreamingQueryException
from pyspark.sql import functions as F

from jobs import gold
from jobs.reconciliation import reconcile
from schemas.tables import BRONZE, GOLD, PER_MINUTE, QUARANTINE, SILVER
from tests.builders import RING, agent_cash, dummy, gsma, silver_rows


def transfer(reference, at="2026-03-27T17:59:00Z", **changes):
    return gsma(transactionReference=reference, creationDate=at, **changes)


def proof(stream):
    return reconcile(stream.lake, "momo.transactions", stream.offsets(), RING)


def test_a_transaction_reaches_every_table_once(stream):
    stream.run(
        transfer("T-1"), agent_cash("deposit", "AG-1", "256777000001", transactionReference="T-2"), dummy(), b"{"
    )

    result = proof(stream)
    assert (result.bronze, result.silver, result.quarantine, result.repeats) == (4, 3, 1, 0)
    assert result.is_clean
    assert stream.rows("SELECT sum(event_count) FROM gold_transactions_per_minute") == [(3,)]
    assert stream.rows("SELECT agent_id, net_float FROM gold_agent_activity_5m") == [("AG-1", Decimal("-5000.0000"))]


def test_the_dummy_record_lands_in_silver_as_the_contract_says(stream):
    stream.run(dummy())

    columns = "amount, currency, transaction_type, event_time, assumed"
    noon_in_kampala = datetime(2023, 4, 19, 9, 0, tzinfo=UTC)
    assumed = ["currency", "event_time_zone", "transaction_type", "status"]
    expected = (Decimal("100000.0000"), "UGX", "transfer", noon_in_kampala, assumed)
    assert stream.rows(f"SELECT {columns} FROM silver_transactions") == [expected]


def test_a_repeat_is_dropped_and_the_first_in_kafka_order_stays(stream):
    stream.send(transfer("T-1", amount="1"), transfer("T-1", amount="1"), transfer("T-1", amount="2"))
    stream.send(transfer("T-1", amount="1"), transfer("T-1", amount="3"))
    stream.run()

    assert stream.rows('SELECT "offset", amount FROM silver_transactions') == [(0, Decimal("1.0000"))]
    result = proof(stream)
    assert (result.repeats, result.conflicts, result.differences) == (2, 2, ())


def test_a_repeat_in_a_later_run_is_dropped_too(stream):
    stream.run(transfer("T-1"))
    stream.run(transfer("T-1"), transfer("T-2"))

    assert stream.rows("SELECT transaction_reference FROM silver_transactions ORDER BY 1") == [("T-1",), ("T-2",)]
    assert proof(stream).repeats == 1


def test_each_status_of_a_transaction_is_a_row_of_its_own(stream):
    stream.run(transfer("T-1", transactionStatus="pending"), transfer("T-1", transactionStatus="completed"))

    assert stream.rows("SELECT status FROM silver_transactions ORDER BY 1") == [("completed",), ("pending",)]
    assert stream.rows("SELECT event_count, transaction_count, amount FROM gold_transactions_per_minute") == [
        (2, 1, Decimal("5000.0000"))
    ]


def test_broken_records_are_never_taken_for_repeats(stream):
    stream.run(b"{", b"{", transfer("T-1", amount="-1"), transfer("T-1", amount="-1"))

    assert stream.rows("SELECT count(*) FROM quarantine_events") == [(4,)]
    assert proof(stream).is_clean


def test_a_late_event_corrects_its_closed_window(stream):
    stream.run(transfer("T-1", at="2026-03-27T10:00:10Z", amount="100"))
    stream.run(transfer("T-2", at="2026-03-27T15:00:00Z", amount="10"))
    closed = "SELECT amount, distinct_payers, is_final, revision FROM gold_transactions_per_minute WHERE window_start < '2026-03-27T11:00:00Z'"
    assert stream.rows(closed) == [(Decimal("100.0000"), 1, True, 0)]

    stream.run(transfer("T-3", at="2026-03-27T10:00:50Z", amount="7"))

    assert stream.rows(closed) == [(Decimal("107.0000"), 1, True, 1)]
    corrected_at = "SELECT max(corrected_at) FROM gold_transactions_per_minute"
    assert stream.rows(corrected_at) == [(datetime(2026, 3, 27, 18, 0, tzinfo=UTC),)]
    assert proof(stream).is_clean


def test_a_late_event_in_a_window_nobody_had_seen_makes_the_window(stream):
    stream.run(transfer("T-1", at="2026-03-27T15:00:00Z"))
    stream.run(transfer("T-2", at="2026-03-25T08:00:00Z", amount="7"))

    late = "SELECT amount, is_final, revision FROM gold_transactions_per_minute WHERE window_date = '2026-03-25'"
    assert stream.rows(late) == [(Decimal("7.0000"), True, 1)]
    assert proof(stream).is_clean


def test_a_correction_of_one_group_leaves_the_others_of_its_window_alone(stream):
    stream.run(transfer("T-1", at="2026-03-27T10:00:10Z"), transfer("T-2", at="2026-03-27T10:00:10Z", currency="KES"))
    stream.run(transfer("T-3", at="2026-03-27T15:00:00Z"))
    stream.run(transfer("T-4", at="2026-03-27T10:00:50Z", currency="KES"))

    revisions = "SELECT currency, revision FROM gold_transactions_per_minute WHERE is_final ORDER BY 1"
    assert stream.rows(revisions) == [("KES", 1), ("UGX", 0)]


def test_an_event_of_the_far_future_moves_no_watermark(stream):
    stream.run(transfer("T-1", at="2026-03-27T17:00:00Z"), transfer("T-9", at="2999-01-01T00:00:00Z"))
    stream.run(transfer("T-2", at="2026-03-27T17:00:30Z"))

    assert stream.rows("SELECT transaction_reference, broken_rules FROM quarantine_events") == [
        ("T-9", ["future_event_time"])
    ]
    assert stream.rows("SELECT amount, revision FROM gold_transactions_per_minute") == [(Decimal("10000.0000"), 0)]


def test_partitions_of_a_backlog_that_are_days_apart_lose_nothing(stream):
    first, later = datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 3, 27, 20, 0, tzinfo=UTC)
    stream.run(transfer("T-1", at="2026-03-27T17:00:00Z"), partition=0, at=later)
    stream.run(transfer("T-2", at="2026-03-19T17:00:00Z"), partition=1, at=first)

    assert proof(stream).is_clean
    assert stream.rows("SELECT count(*) FROM silver_transactions") == [(2,)]


@pytest.mark.parametrize("query", ["ingest", "gold"])
def test_a_batch_that_was_written_but_not_recorded_changes_nothing_when_repeated(stream, snapshot, query):
    stream.run(transfer("T-1", at="2026-03-27T10:00:00Z"), b"{")
    stream.run(
        transfer("T-2", at="2026-03-27T15:00:00Z"),
        transfer("T-2", at="2026-03-27T15:00:00Z"),
        transfer("T-3", at="2026-03-27T10:00:30Z"),
        b"[",
    )
    names = [table.name for table in (BRONZE, SILVER, QUARANTINE, *GOLD)]
    before = snapshot(names)

    newest = max((Path(stream.lake.checkpoint_path(query)) / "commits").glob("[0-9]*"), key=lambda path: int(path.name))
    newest.unlink()
    (newest.parent / f".{newest.name}.crc").unlink()
    stream.run()

    assert snapshot(names) == before
    assert proof(stream).is_clean


@pytest.mark.parametrize("query", ["ingest", "gold"])
def test_a_query_that_was_killed_while_it_wrote_its_first_offsets_begins_anew(stream, query):
    offsets = Path(stream.lake.checkpoint_path(query)) / "offsets"
    offsets.mkdir(parents=True)
    for unfinished in (".0.1b2c.tmp", "..0.1b2c.tmp.crc"):
        (offsets / unfinished).write_bytes(b"v1")

    stream.run(transfer("T-1"))

    assert proof(stream).is_clean


def test_offsets_that_are_lost_after_a_batch_are_refused(stream):
    stream.run(transfer("T-1"))
    for path in (Path(stream.lake.checkpoint_path("gold")) / "offsets").iterdir():
        path.unlink()

    with pytest.raises(StreamingQueryException, match="Identifier: gold"):
        stream.run(transfer("T-2"))


def test_gold_equals_the_windows_of_all_of_silver(stream):
    times = ["10:00:10", "12:30:00", "10:00:40", "15:00:00", "14:59:59", "10:59:59", "12:30:59", "09:00:00"]
    for i in range(0, len(times), 2):
        stream.run(*(transfer(f"T-{i + j}", at=f"2026-03-27T{times[i + j]}Z", amount=str(i + j + 1)) for j in (0, 1)))

    whole = gold.whole_windows(stream.lake.read(stream.spark, SILVER)).filter(f"table_name = '{PER_MINUTE.name}'")
    expected = sorted(
        (row.window_start.replace(tzinfo=UTC), row.sum_0) for row in whole.select("window_start", "sum_0").collect()
    )
    assert stream.rows("SELECT window_start, amount FROM gold_transactions_per_minute ORDER BY 1") == expected


def test_a_commit_of_more_files_than_are_read_at_once_loses_nothing_in_gold(stream):
    """A thousand files are Delta's measure, and Spark drops what the watermark of the batch before the last has passed."""
    stream.spark.conf.set("spark.sql.files.maxRecordsPerFile", 1)
    noon, afternoon = (datetime(2026, 3, 27, hour, tzinfo=UTC) for hour in (12, 15))
    transaction = silver_rows(stream.spark, [gsma()])
    times = F.when(F.col("id") < 2000, F.lit(afternoon)).otherwise(F.lit(noon))
    rows = (
        stream.spark.range(0, 2010, numPartitions=1).crossJoin(F.broadcast(transaction)).withColumn("event_time", times)
    )
    files = stream.lake.append(rows.select(SILVER.column_names), SILVER)
    stream.spark.conf.unset("spark.sql.files.maxRecordsPerFile")

    stream.send(b"{")
    stream.run()

    assert len(files) == 2010
    counts = "SELECT window_start, event_count FROM gold_transactions_per_minute ORDER BY 1"
    assert stream.rows(counts) == [(noon, 10), (afternoon, 2000)]


def test_analysts_tools_read_every_table(stream):
    stream.run(transfer("T-1"), agent_cash("withdrawal", "AG-1", "256777000001", transactionReference="T-2"), b"{")

    for table in (SILVER, QUARANTINE, *GOLD):
        path = stream.lake.table_path(table)
        assert pl.scan_delta(path).collect().height > 0
        assert DeltaTable(path).to_pandas().columns.to_list() == table.column_names


def test_min_and_max_of_numbers_of_phones_are_not_in_the_log(stream):
    stream.run(transfer("T-1"))

    logs = "".join(path.read_text() for path in stream.lake.path.glob("*/_delta_log/*.json"))
    assert "256777123456" not in logs
