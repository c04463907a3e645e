"""A pipeline whose topic is a folder of Parquet files with Kafka's columns: one file is one batch."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.lake import Lake
from jobs.pipeline import Pipeline
from jobs.windows import Rebuild
from schemas.tables import Table
from tests.builders import ARRIVAL, FORGETFUL, KAFKA_SCHEMA, ODD_DAYS, SETTINGS, encoded
from tests.frames import frame


@dataclass
class Stream:
    """Records go in with `send`, and through all tables with `run`."""

    spark: SparkSession
    lake: Lake
    topic: Path
    sent: dict[int, int] = field(default_factory=dict)

    def send(self, *records: Any, partition: int = 0, at: datetime = datetime(2026, 3, 27, 18, 0, tzinfo=UTC)) -> None:
        """Append records to a partition of the topic, as one file."""
        first = self.sent.get(partition, 0)
        rows = [
            (b"k", encoded(record), "momo.transactions", partition, first + i, at + timedelta(milliseconds=i))
            for i, record in enumerate(records)
        ]
        self.sent[partition] = first + len(rows)
        frame(self.spark, rows, KAFKA_SCHEMA).coalesce(1).write.mode("append").parquet(str(self.topic))

    def run(self, *records: Any, rebuild: Rebuild | None = None, **where: Any) -> None:
        """Send these records, and carry everything through a pipeline that was started anew."""
        if records:
            self.send(*records, **where)
        topic = self.spark.readStream.schema(KAFKA_SCHEMA).parquet(str(self.topic))
        Pipeline(self.spark, self.lake, SETTINGS, topic, rebuild).run_available()

    def take_back_newest_commit(self, table: Table) -> None:
        """As a kill before it leaves the table."""
        log = self.lake.path / table.name / "_delta_log"
        version = max(log.glob("*.json")).stem
        for path in log.glob(f"*{version}*"):
            path.unlink()
        # A new process would not know the commit either.
        self.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()

    def offsets(self) -> dict[int, tuple[int, int]]:
        """First and next offset per partition, as Kafka would tell."""
        return {partition: (0, end) for partition, end in self.sent.items()}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query over the lake."""
        return [tuple(row.values()) for row in self.lake.query(sql).to_pylist()]


@pytest.fixture
def stream(spark: SparkSession, tmp_path: Path) -> Stream:
    """A stream with empty tables."""
    lake = Lake(tmp_path / "lake")
    lake.create()
    return Stream(spark, lake, tmp_path / "topic")


@pytest.fixture
def snapshot(stream: Stream) -> Callable[[Iterable[str]], dict[str, list[str]]]:
    """What tables hold, without the times of their writing."""

    def rows_of(names: Iterable[str]) -> dict[str, list[str]]:
        return {name: sorted(map(str, stream.rows(f"SELECT * FROM {name}"))) for name in names}

    return rows_of


@pytest.fixture(scope="session")
def streamed_days(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Stream:
    """Days of odd transactions through a stream that remembers the keys of its last batch alone; not to be changed."""
    folder = tmp_path_factory.mktemp("days")
    stream = Stream(spark, Lake(folder / "lake"), folder / "topic")
    stream.lake.create()
    for i, records in enumerate(ODD_DAYS):
        stream.send(*records, at=ARRIVAL + timedelta(seconds=i))
        topic = spark.readStream.schema(KAFKA_SCHEMA).parquet(str(stream.topic))
        Pipeline(spark, stream.lake, FORGETFUL, topic).run_available()
    return stream


@pytest.fixture
def days(streamed_days: Stream, tmp_path: Path) -> Stream:
    """A copy of those days: the stream goes on from it, and remembers."""
    original = streamed_days.topic.parent
    for folder in ("lake", "topic"):
        shutil.copytree(original / folder, tmp_path / folder)
    for read in (tmp_path / "lake" / "_checkpoints" / "ingest" / "sources" / "0").glob("[0-9]*"):
        # Where the files are that it has read; Spark keeps a checksum beside.
        read.write_text(read.read_text().replace(str(original), str(tmp_path)))
        (read.parent / f".{read.name}.crc").unlink()
    return Stream(streamed_days.spark, Lake(tmp_path / "lake"), tmp_path / "topic", dict(streamed_days.sent))
