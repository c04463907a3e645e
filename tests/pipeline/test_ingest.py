"""A batch that was cut off between two of its commits, as a kill leaves it, is finished by the next start."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from jobs import bronze, enrichment
from jobs.corrections import remove_rows
from jobs.ingest import IngestWriter
from schemas.tables import BRONZE, QUARANTINE, SILVER
from tests.builders import RING, SETTINGS, gsma, kafka_records

TABLES = [table.name for table in (BRONZE, QUARANTINE, SILVER)]
FIRST = [gsma(transactionReference="T-1"), b"{"]
SECOND = [gsma(transactionReference="T-1"), gsma(transactionReference="T-2"), b"[", gsma(transactionReference="T-2")]


def started(stream) -> IngestWriter:
    return IngestWriter(stream.spark, stream.lake, SETTINGS.stream.dedup_keys, enrichment.silver_columns(RING))


def batch(stream, records, first_offset):
    parsed = kafka_records(stream.spark, records, first_offset)
    return bronze.parse_events(parsed, SETTINGS.dummy, SETTINGS.stream.future_tolerance)


def content(stream) -> dict[str, list[str]]:
    columns = {QUARANTINE.name: "*"}
    return {
        name: sorted(map(str, stream.rows(f"SELECT {columns.get(name, '* EXCEPT (ingested_at)')} FROM {name}")))
        for name in TABLES
    }


@pytest.mark.parametrize("unwritten", [(), (SILVER,), (QUARANTINE, SILVER), (BRONZE, QUARANTINE, SILVER)])
def test_a_batch_that_was_cut_off_is_finished_after_the_next_start(stream, unwritten):
    writer = started(stream)
    writer.write(batch(stream, FIRST, 0), 0)
    writer.write(batch(stream, SECOND, len(FIRST)), 1)
    before = content(stream)
    for table in unwritten:
        stream.take_back_newest_commit(table)

    started(stream).write(batch(stream, SECOND, len(FIRST)), 1)

    assert content(stream) == before
    assert stream.rows('SELECT transaction_reference, "offset" FROM silver_transactions ORDER BY 1') == [
        ("T-1", 0),
        ("T-2", 3),
    ]


def test_a_batch_of_repeats_alone_adds_no_silver(stream):
    writer = started(stream)
    writer.write(batch(stream, FIRST, 0), 0)
    version = stream.lake.open(SILVER).version()

    writer.write(batch(stream, FIRST, len(FIRST)), 1)

    assert stream.lake.open(SILVER).version() == version
    assert stream.rows("SELECT count(*) FROM bronze_transaction_events") == [(4,)]


def test_keys_older_than_those_kept_are_forgotten_and_newer_ones_come_back_with_a_start(stream):
    writer = IngestWriter(stream.spark, stream.lake, 1, enrichment.silver_columns(RING))
    writer.write(batch(stream, [gsma(transactionReference="T-1")], 0), 0)
    writer.write(batch(stream, [gsma(transactionReference="T-2")], 1), 1)

    again = IngestWriter(stream.spark, stream.lake, 1, enrichment.silver_columns(RING))
    again.write(batch(stream, [gsma(transactionReference="T-2"), gsma(transactionReference="T-1")], 2), 2)

    references = "SELECT transaction_reference FROM silver_transactions ORDER BY 1"
    assert stream.rows(references) == [("T-1",), ("T-1",), ("T-2",)]


def test_a_transaction_that_another_process_put_into_silver_is_a_repeat_from_then_on(stream):
    writer = started(stream)
    writer.write(batch(stream, FIRST, 0), 0)
    other = stream.lake.read(stream.spark, SILVER).withColumns(
        {"transaction_reference": F.lit("T-2"), "event_time": F.lit(datetime(2026, 3, 27, 17, 59, 30, tzinfo=UTC))}
    )
    stream.lake.append(other, SILVER)

    records = [gsma(transactionReference="T-2"), gsma(transactionReference="T-3")]
    writer.write(batch(stream, records, len(FIRST)), 1)

    rows = stream.rows("SELECT transaction_reference, stream_time FROM silver_transactions ORDER BY 1")
    assert rows[0] == ("T-1", None)
    assert [reference for reference, _ in rows] == ["T-1", "T-2", "T-3"]
    # The time of what the other wrote is silver's time: gold may have seen it.
    assert rows[2] == ("T-3", datetime(2026, 3, 27, 17, 59, 30, tzinfo=UTC))


def test_a_clock_that_is_set_back_does_not_make_later_rows_the_older_ones(stream):
    started(stream).write(batch(stream, FIRST, 0), 0)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    stream.lake.open(SILVER).update(
        updates={"ingested_at": f"arrow_cast('{ahead.isoformat()}', 'Timestamp(Microsecond, Some(\"UTC\"))')"}
    )

    started(stream).write(batch(stream, SECOND, 2), 1)

    newest = "SELECT transaction_reference FROM silver_transactions ORDER BY ingested_at DESC LIMIT 1"
    assert stream.rows(newest) == [("T-2",)]


def test_a_transaction_that_another_process_took_out_of_silver_is_new_when_it_comes_again(stream):
    writer = started(stream)
    writer.write(batch(stream, FIRST, 0), 0)
    taken = stream.lake.query('SELECT topic, "partition", "offset" FROM silver_transactions')
    remove_rows(stream.lake, SILVER, taken)

    writer.write(batch(stream, SECOND, len(FIRST)), 1)

    rows = 'SELECT transaction_reference, "offset" FROM silver_transactions ORDER BY 1'
    assert stream.rows(rows) == [("T-1", 2), ("T-2", 3)]
