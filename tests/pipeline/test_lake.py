from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from jobs.lake import Lake
from schemas.tables import CORRIDOR_HOURLY

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
