"""Texts of bronze that are older than they may be go for good, and everything that was made of them stays."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql.pandas.types import to_arrow_schema

from jobs import validate_tables
from jobs.command_line import run
from jobs.compaction import data_files
from jobs.forgetting import RecordsBefore
from jobs.maintenance import maintain, maintaining
from schemas.tables import BRONZE, GOLD, QUARANTINE, SILVER
from tests.backfills import backfilled, changes
from tests.builders import ARRIVAL, SETTINGS, gsma
from tests.pipeline.test_erasure import NAME, RECORDS, proof
from tests.pipeline.test_maintenance import NOTHING_KEPT

A_MONTH = NOTHING_KEPT.model_copy(update={"payload_retention_days": 30})
READ = ", ".join(f'"{name}"' for name in BRONZE.column_names if name not in ("key", "payload", "payload_bytes"))
TEXTS = "SELECT payload, payload_bytes, key, count(*) FROM bronze_transaction_events GROUP BY 1, 2, 3"


def maintained(stream, limits=A_MONTH, **how):
    with maintaining(stream.lake):
        return maintain(stream.lake, BRONZE, limits, **how)


@pytest.fixture
def old(stream):
    """Two batches of March, with names in payloads, a record that is no text and one without a value."""
    stream.run(*RECORDS[:5])
    stream.run(*RECORDS[5:], b"")
    return stream


def test_texts_go_when_they_are_old_and_what_was_read_of_them_stays(old, snapshot):
    others, read = (QUARANTINE.name, SILVER.name, *(table.name for table in GOLD)), f"SELECT {READ} FROM {BRONZE.name}"
    before, columns, rows = snapshot(others), sorted(map(str, old.rows(read))), len(RECORDS) + 1

    assert maintained(old).records_forgotten == rows

    assert old.rows(TEXTS) == [("erased", None, None, rows)]
    assert snapshot(others) == before
    assert sorted(map(str, old.rows(read))) == columns
    assert proof(old).is_clean
    # A day later nothing is left to do, and a backfill from bronze finds nothing to change.
    version = old.lake.newest_version(BRONZE)
    assert maintained(old).records_forgotten == 0
    assert changes(backfilled(old, SETTINGS, "2026-03-26", "2026-03-29")) == {}
    assert old.lake.newest_version(BRONZE) == version
    # The stream goes on; a repeat of what was forgotten is known by its key.
    old.run(RECORDS[0], gsma(transactionReference="T-8", creationDate="2026-03-27T18:30:00Z"))
    assert proof(old).is_clean
    assert old.rows("SELECT count(*) FROM silver_transactions WHERE transaction_reference = 'T-1'") == [(1,)]
    # The newest append is kept for a start of the stream; what was forgotten is no part of it any more.
    maintained(old)
    old.run(gsma(transactionReference="T-9", creationDate="2026-03-27T18:31:00Z"))
    maintained(old)
    files = sorted((old.lake.path / BRONZE.name).rglob("part-*.parquet"))
    assert [path.name for path in files if NAME in str(pq.read_table(path).to_pydict())] == []


def test_a_batch_that_waits_to_be_carried_on_is_carried_on(old):
    old.send(gsma(transactionReference="T-9"))
    old.run()
    # As killed between bronze and silver.
    old.take_back_newest_commit(SILVER)

    assert maintained(old).records_forgotten > 0

    old.run()
    assert old.rows("SELECT count(*) FROM silver_transactions WHERE transaction_reference = 'T-9'") == [(1,)]
    assert proof(old).is_clean


def test_young_texts_stay_and_a_file_that_grows_old_is_rewritten_once_a_day(stream):
    now = datetime.now(UTC)
    stream.run(gsma(transactionReference="T-1"), at=now - timedelta(days=30, hours=23))
    stream.run(gsma(transactionReference="T-2"), at=now - timedelta(days=29))
    maintained(stream, NOTHING_KEPT)
    assert len(data_files(stream.lake.open(BRONZE))) == 1
    # Both are in one file now, and the old one is due for less than a day.
    assert maintained(stream).records_forgotten == 0

    a_day_less = A_MONTH.model_copy(update={"payload_retention_days": 29})
    assert maintained(stream, a_day_less, dry_run=True).records_forgotten == 2
    eight_weeks = A_MONTH.model_copy(update={"payload_retention_days": 56})
    assert maintained(stream, eight_weeks).records_forgotten == 0
    assert stream.rows("SELECT count(*) FROM bronze_transaction_events WHERE payload = 'erased'") == [(0,)]


def test_nothing_is_forgotten_unless_it_is_asked_for(old):
    assert SETTINGS.maintain.payload_retention_days == 0

    maintained(old, NOTHING_KEPT)
    maintained(old, A_MONTH, dry_run=True)

    assert old.rows("SELECT count(*) FROM bronze_transaction_events WHERE payload = 'erased'") == [(0,)]


def test_the_text_of_rows_goes_to_the_microsecond():
    def rows(*given):
        named = [dict(zip(("kafka_timestamp", "key", "payload", "payload_bytes"), row, strict=True)) for row in given]
        return pa.Table.from_pylist(named, schema=to_arrow_schema(BRONZE.schema, timezone="UTC"))

    just_before = ARRIVAL - timedelta(microseconds=1)
    given = rows(
        (just_before, "k", "{}", None),
        (ARRIVAL, "k", "{}", None),
        (just_before, None, None, b"\xff"),
        (just_before, "k", None, None),
        (just_before, None, None, None),
        (just_before, None, "erased", None),
        (None, "k", "{}", None),
    )

    changed, due = RecordsBefore(ARRIVAL)(given)

    assert due.to_pylist() == [True, False, True, True, False, False, False]
    assert changed.equals(
        rows(
            (just_before, None, "erased", None),
            (ARRIVAL, "k", "{}", None),
            (just_before, None, "erased", None),
            (just_before, None, None, None),
            (just_before, None, None, None),
            (just_before, None, "erased", None),
            (None, "k", "{}", None),
        )
    )


def test_the_checks_pass_on_what_was_forgotten(old, capsys):
    words = ["--lake", str(old.lake.path), "--tables", BRONZE.name, "--json"]
    before = run(validate_tables.main, words), capsys.readouterr().out.count('"success": false')

    maintained(old)

    assert (run(validate_tables.main, words), capsys.readouterr().out.count('"success": false')) == before
