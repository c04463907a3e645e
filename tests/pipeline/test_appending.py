"""Rows that Spark writes and delta-rs commits are a table like any other, to Spark and to delta-rs."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from jobs.errors import PlatformError
from schemas.tables import SILVER

EVENT_TIME = datetime(2026, 3, 27, 12, 0, 0, 123456, tzinfo=UTC)


def rows_of_silver(stream, first, last, event_time=EVENT_TIME):
    values = {"offset": F.col("id"), "event_date": F.lit(date(2026, 3, 27)), "event_time": F.lit(event_time)}
    columns = [values.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in SILVER.columns]
    return stream.spark.range(first, last, numPartitions=2).select(*columns)


def files(stream):
    return sorted(path for path in (stream.lake.path / SILVER.name).rglob("*.parquet"))


def newest(stream, suffix):
    log = stream.lake.path / SILVER.name / "_delta_log"
    return log / f"{stream.lake.newest_version(SILVER):020d}.{suffix}"


def test_an_append_gives_its_files_and_both_engines_read_its_rows(stream):
    stream.lake.append(rows_of_silver(stream, 0, 10), SILVER)
    added = stream.lake.append(rows_of_silver(stream, 10, 14), SILVER)

    assert set(map(Path, added)) < set(files(stream))
    assert len(files(stream)) == 4
    assert stream.rows('SELECT sum("offset"), count(*), min(event_time) FROM silver_transactions') == [
        (91, 14, EVENT_TIME)
    ]
    read = stream.lake.read(stream.spark, SILVER).agg(F.sum("offset"), F.count("*"))
    assert tuple(read.first()) == (91, 14)


def test_the_checksum_beside_a_commit_says_what_is_in_the_folder(stream):
    for first in (0, 10):
        stream.lake.append(rows_of_silver(stream, first, first + 10), SILVER)

    checksum = json.loads(newest(stream, "crc").read_text())

    assert (checksum["numFiles"], checksum["tableSizeBytes"]) == (4, sum(p.stat().st_size for p in files(stream)))
    assert checksum["metadata"]["id"] == str(stream.lake.open(SILVER).metadata().id)


def test_the_log_holds_statistics_of_ordinal_columns_alone(stream):
    stream.lake.append(rows_of_silver(stream, 5, 6), SILVER)

    adds = [json.loads(line)["add"] for line in newest(stream, "json").read_text().splitlines() if '"add"' in line]
    statistics = [json.loads(add["stats"]) for add in adds]

    # The second task had no row, and a file without rows is not committed.
    assert [(s["numRecords"], s["minValues"]["offset"], s["maxValues"]["offset"]) for s in statistics] == [(1, 5, 5)]
    assert statistics[0]["minValues"] == {"offset": 5, "event_time": "2026-03-27T12:00:00.123456Z"}
    assert set(statistics[0]["nullCount"]) == set(SILVER.ordinal)


def test_rows_are_found_by_their_statistics_to_the_microsecond(stream):
    stream.lake.append(rows_of_silver(stream, 0, 1), SILVER)

    at = stream.lake.read(stream.spark, SILVER).filter(F.col("event_time") == F.lit(EVENT_TIME))

    assert at.count() == 1
    assert stream.rows(
        "SELECT count(*) FROM silver_transactions WHERE event_time >= TIMESTAMP '2026-03-27T12:00:00.123456Z'"
    ) == [(1,)]


def test_no_rows_make_no_commit(stream):
    version = stream.lake.newest_version(SILVER)

    assert stream.lake.append(rows_of_silver(stream, 0, 0), SILVER) == []
    assert stream.lake.newest_version(SILVER) == version


def test_what_a_killed_writer_left_is_neither_read_nor_in_the_way(stream):
    left = stream.lake.path / "_appending" / SILVER.name / "event_date=2026-03-27"
    left.mkdir(parents=True)
    (left / "part-0.parquet").write_bytes(b"half a file")

    stream.lake.append(rows_of_silver(stream, 0, 2), SILVER)

    assert stream.rows("SELECT count(*) FROM silver_transactions") == [(2,)]
    assert not left.exists()


def test_rows_of_another_shape_are_refused(stream):
    with pytest.raises(PlatformError, match="Rows of other columns than those of silver_transactions"):
        stream.lake.append(rows_of_silver(stream, 0, 1).withColumn("amount", F.lit(1.5)), SILVER)

    assert files(stream) == []
