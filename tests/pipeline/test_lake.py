from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.lake import Lake
from schemas.tables import BRONZE, CORRIDOR_HOURLY, QUARANTINE
from tests.builders import put_rows

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path)
    lake.create()
    return lake


def test_a_merge_reads_no_file_of_other_hours_of_the_day(lake):
    for hour in range(4):
        lake.merge_windows(CORRIDOR_HOURLY, windows(NOON + timedelta(hours=hour)))

    lake.merge_windows(CORRIDOR_HOURLY, windows(NOON + timedelta(hours=1), count=2))

    metrics = lake.open(CORRIDOR_HOURLY).history(1)[0]["operationMetrics"]
    assert (metrics["num_target_files_scanned"], metrics["num_target_files_skipped_during_scan"]) == (1, 3)
    assert lake.value("SELECT sum(transaction_count) FROM gold_corridor_hourly") == 5


def test_an_hour_that_closes_leaves_the_hours_before_and_after_it_alone(lake):
    for hour in range(4):
        lake.merge_windows(CORRIDOR_HOURLY, windows(NOON + timedelta(hours=hour)))

    lake.close_windows(CORRIDOR_HOURLY, NOON + timedelta(hours=3), since=NOON + timedelta(hours=2))

    # Those that end by 14:00 are said to be final already, and are not looked at again.
    rows = lake.query(
        "SELECT date_part('hour', window_start) AS hour, is_final FROM gold_corridor_hourly ORDER BY 1"
    ).to_pylist()
    assert [(row["hour"], row["is_final"]) for row in rows] == [(12, False), (13, True), (14, True), (15, False)]


@pytest.fixture
def earlier(tmp_path):
    """A lake whose quarantine was made before a retry had columns of its own."""
    lake = Lake(tmp_path)
    columns = to_arrow_schema(QUARANTINE.schema, timezone="UTC")
    at_first = pa.schema([columns.field(i) for i in range(9)])
    row = pa.Table.from_pylist([{"topic": "t", "tries": 1, "state": "open"}], schema=at_first)
    write_deltalake(lake.table_path(QUARANTINE), row)
    return lake


def test_a_table_of_an_earlier_version_gets_the_columns_it_lacks(earlier):
    earlier.create()
    earlier.create()
    put_rows(earlier, QUARANTINE, {"topic": "u", "tries": 2, "rules_version": 1})

    assert [field.name for field in earlier.open(QUARANTINE).schema().fields] == QUARANTINE.column_names
    assert earlier.newest_version(QUARANTINE) == 2, "a row, the columns once, a row"
    rows = earlier.query("SELECT topic, tries, rules_version FROM quarantine_events ORDER BY 1").to_pylist()
    assert [tuple(row.values()) for row in rows] == [("t", 1, None), ("u", 2, 1)]


def test_files_that_cannot_hold_a_record_are_not_named(lake):
    for first in (0, 10, 20):
        rows = [{"topic": "t", "partition": p, "offset": first + i} for p in (0, 1) for i in (0, 5)]
        put_rows(lake, BRONZE, *rows)

    named = [
        len(lake.files_holding(BRONZE, pa.table({"topic": ["t"] * len(p), "partition": p, "offset": o})))
        for p, o in (([0], [12]), ([1, 0], [25, 0]), ([2], [12]), ([0], [17]))
    ]

    assert named == [1, 2, 0, 0]


def windows(*starts, count=1):
    """One window of one corridor for each start."""
    known = {
        "window_date": [start.date() for start in starts],
        "window_start": pa.array(starts, pa.timestamp("us", tz="UTC")),
        "window_end": pa.array([start + timedelta(hours=1) for start in starts], pa.timestamp("us", tz="UTC")),
        "is_final": [False] * len(starts),
        "transaction_count": pa.array([count] * len(starts), pa.int64()),
        "is_correction": [False] * len(starts),
        **{name: ["x"] * len(starts) for name in CORRIDOR_HOURLY.key[1:]},
    }
    missing = [name for name in CORRIDOR_HOURLY.column_names if name not in known]
    return pa.table(known | {name: pa.nulls(len(starts)) for name in missing})
