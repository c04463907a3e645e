"""The program behind the roofline: measures each stage alone, by the protocol of the contestants.

What it costs is CPU time of this process and its JVM. The frames that are written and counted are the pipeline's own
tables of the same topic, made once and cached, so that only the stage itself is measured: what the same job costs
without the stage, or without rows, is taken off.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from infra.bench.bench_topic import PARTITIONS
from infra.bench.contestants.protocol import serve
from infra.bench.processes import tree_cpu_seconds
from infra.bench.roofline import RESULT
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.lake import Lake
from jobs.parsing import EVENT_SCHEMA
from jobs.pipeline import Pipeline
from jobs.session import build_session
from jobs.settings import KafkaSettings, Settings
from jobs.sources import stream_topic
from schemas.tables import BRONZE, SILVER, Table

# As many rows of each partition are cached: more would not fit beside each other in the session's memory.
CACHED_OFFSETS = 100_000
COMMITS = 7
GOLD_INPUT = ("event_time", "transaction_type", "currency", "channel", "status", "amount")


class Stages:
    """The stages over one topic, in one session of conf/spark-defaults.conf."""

    def __init__(self, spark: SparkSession, settings: Settings, lake: Lake) -> None:
        """Carry the topic into `lake` by the pipeline, and cache rows of its bronze and silver."""
        self._spark, self._kafka = spark, settings.kafka
        lake.create()
        Pipeline(spark, lake, settings, stream_topic(spark, settings.kafka)).run_available()
        self._bronze, self._silver = (self._cached(lake, table) for table in (BRONZE, SILVER))
        self._rows = {frame: frame.count() for frame in (self._bronze, self._silver)}

    def measure(self, folder: Path) -> dict[str, float]:
        """Core-microseconds a row of each part, milliseconds of a commit, cores."""
        silver_files = str(folder / "silver")
        return {
            **self._topic_parts(),
            "write_bronze": self._write(self._bronze, str(folder / "bronze")),
            "write_silver": self._write(self._silver, silver_files),
            **self._silver_parts(silver_files, folder),
            **self._commits(folder),
            "cores": float(self._spark.sparkContext.defaultParallelism),
        }

    def _topic_parts(self) -> dict[str, float]:
        records = _topic(self._spark, self._kafka)
        rows = records.count()
        few = _topic(self._spark, self._kafka, end={partition: 1 for partition in range(PARTITIONS)})
        read = _cpu(lambda: _to_nothing(records))
        fixed = _cpu(lambda: _to_nothing(few))
        event = F.from_json(F.col("value").cast("string"), EVENT_SCHEMA).alias("event")
        parse = _cpu(lambda: _to_nothing(records.select(event)))
        return {"read": _per_row(read - fixed, rows), "parse": _per_row(parse - read, rows)}

    def _write(self, frame: DataFrame, path: str) -> float:
        """The encoding alone: what it takes to scan the cached frame is taken off."""
        scan = _cpu(lambda: _to_nothing(frame))
        return _per_row(_cpu(lambda: frame.write.parquet(path)) - scan, self._rows[frame])

    def _silver_parts(self, files: str, folder: Path) -> dict[str, float]:
        rows = self._rows[self._silver]
        columns = self._silver.select(*GOLD_INPUT)
        # No row has this hash, and Spark cannot know: the same job and the same scan, with nothing to count.
        none = columns.filter(F.xxhash64("event_time") == 0)
        windows = _cpu(lambda: _to_nothing(_per_minute(columns)))
        windows -= _cpu(lambda: _to_nothing(_per_minute(none)))
        read_back = _cpu(lambda: _to_nothing(self._spark.read.parquet(files).select(*GOLD_INPUT)))
        keys = self._spark.readStream.schema(self._silver.schema).parquet(files)
        keys = keys.select("transaction_reference", "status", "kafka_timestamp")
        once = keys.withWatermark("kafka_timestamp", "2 hours").dropDuplicatesWithinWatermark(keys.columns[:2])
        state = _cpu(lambda: _stream_to_nothing(once, folder / "once"))
        state -= _cpu(lambda: _stream_to_nothing(keys, folder / "keys"))
        return {
            "gold_windows": _per_row(windows, rows),
            "read_back": _per_row(read_back, rows),
            "dedup_state": _per_row(state, rows),
        }

    def _commits(self, folder: Path) -> dict[str, float]:
        row = self._spark.range(1)
        arrow = row.toArrow()
        by_spark, by_delta_rs = str(folder / "by_spark"), str(folder / "by_delta_rs")
        return {
            "commit_spark_ms": _median_ms(lambda: row.write.format("delta").mode("append").save(by_spark)),
            "commit_delta_rs_ms": _median_ms(lambda: write_deltalake(by_delta_rs, arrow, mode="append")),
        }

    def _cached(self, lake: Lake, table: Table) -> DataFrame:
        return lake.read(self._spark, table).filter(F.col("offset") < CACHED_OFFSETS).persist()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve rounds until the input ends; each leaves its figures in its folder."""
    parser = argparse.ArgumentParser(prog="stage_costs.py", description=__doc__)
    add_settings_arguments(parser, "kafka")
    settings = settings_from(parser.parse_args(argv))
    spark = build_session("momo bench: roofline")
    made: list[Stages] = []
    with tempfile.TemporaryDirectory() as lake:

        def measure(folder: Path) -> None:
            if not made:
                made.append(Stages(spark, settings, Lake(Path(lake))))
            (folder / RESULT).write_text(json.dumps(made[0].measure(folder)))

        serve(measure)
        spark.stop()
    return 0


def _topic(spark: SparkSession, kafka: KafkaSettings, end: dict[int, int] | None = None) -> DataFrame:
    """The topic's records, up to these offsets of its partitions."""
    source = spark.read.format("kafka").option("kafka.bootstrap.servers", kafka.bootstrap)
    ending = json.dumps({kafka.topic: end}) if end else "latest"
    return source.option("subscribe", kafka.topic).option("endingOffsets", ending).load()


def _per_minute(silver: DataFrame) -> DataFrame:
    completed = F.when(F.col("status") == "completed", F.col("amount"))
    keys = (F.window("event_time", "1 minute"), "transaction_type", "currency", "channel")
    return silver.groupBy(*keys).agg(F.count("*"), F.count(completed), F.sum(completed))


def _to_nothing(rows: DataFrame) -> None:
    rows.write.format("noop").mode("overwrite").save()


def _stream_to_nothing(rows: DataFrame, checkpoint: Path) -> None:
    writer = rows.writeStream.format("noop").option("checkpointLocation", str(checkpoint))
    writer.trigger(availableNow=True).start().awaitTermination()


def _cpu(action: Callable[[], object]) -> float:
    before = tree_cpu_seconds(os.getpid())
    action()
    return tree_cpu_seconds(os.getpid()) - before


def _per_row(seconds: float, rows: int) -> float:
    """Microseconds; a difference that noise has made negative is nothing."""
    return round(max(seconds, 0.0) * 1_000_000 / rows, 3)


def _median_ms(action: Callable[[], object]) -> float:
    taken = []
    for _ in range(COMMITS):
        started = time.monotonic()
        action()
        taken.append(time.monotonic() - started)
    return round(statistics.median(taken) * 1000, 1)


if __name__ == "__main__":
    sys.exit(run(main))
