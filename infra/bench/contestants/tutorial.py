"""The contestant tutorial: the same engine laid out as blog posts and courses do it.

A query per table: bronze raw from Kafka; silver from bronze as a Delta stream, parsed, deduplicated, validated by Great
Expectations batch by batch; quarantine from bronze; one-minute windows from silver, merged by Delta's MERGE. Settings
are Spark's and Delta's defaults, but for `tutorial.properties`.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from infra.bench.contestants import tutorial_tables as tables
from infra.bench.contestants.protocol import serve
from infra.bench.contestants.tutorial_checks import BatchChecks
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.session import build_session
from jobs.settings import ROOT, Settings
from jobs.sources import stream_topic

PROPERTIES = Path(__file__).parent / "tutorial.properties"
COLUMNS = {"bronze": tables.BRONZE, "silver": tables.SILVER, "quarantine": tables.QUARANTINE, "gold": tables.GOLD}
Write = Callable[[DataFrame, int], None]


class Tutorial:
    """The queries over one folder, whose tables are made where they are not there."""

    def __init__(self, spark: SparkSession, folder: Path, settings: Settings, checks: BatchChecks) -> None:
        """`settings` say where the topic is and how many records a batch takes, as they do for the pipeline."""
        self._spark, self._folder, self._settings, self._checks = spark, folder, settings, checks
        for name, columns in COLUMNS.items():
            schema = spark.createDataFrame([], ", ".join(f"{n} {kind}" for n, kind in columns.items())).schema
            DeltaTable.createIfNotExists(spark).location(self._path(name)).addColumns(schema).execute()

    def run_available(self) -> None:
        """Each query after the one it reads from, until it has caught up."""
        for names in (("bronze",), ("silver", "quarantine"), ("gold",)):
            for query in [self._writer(name).trigger(availableNow=True).start() for name in names]:
                query.awaitTermination()

    def start(self) -> list[StreamingQuery]:
        """All queries at once, at the trigger of the settings, until stopped."""
        return [self._writer(name).trigger(processingTime=self._settings.stream.trigger).start() for name in COLUMNS]

    def _writer(self, name: str) -> DataStreamWriter:
        rows, write = self._query(name)
        writer = rows.writeStream.option("checkpointLocation", f"{self._path('_checkpoints')}/{name}").queryName(name)
        writer = writer.outputMode("update" if name == "gold" else "append")
        return writer.foreachBatch(write) if write else writer.format("delta").option("path", self._path(name))

    def _query(self, name: str) -> tuple[DataFrame, Write | None]:
        """The query's rows, and what writes a batch of them; without one Delta's own sink does."""
        if name == "bronze":
            return tables.raw(stream_topic(self._spark, self._settings.kafka)), None
        if name == "silver":
            return tables.transactions(self._stream("bronze")), self._write_silver
        if name == "quarantine":
            return tables.refused(self._stream("bronze")), None
        return tables.per_minute(self._stream("silver")), self._merge_gold

    def _write_silver(self, batch: DataFrame, batch_id: int) -> None:
        # Great Expectations would cache the batch itself and never let go of it.
        batch.persist()
        # Spark adds a batch without rows at the end, to let go of old state.
        if not batch.isEmpty():
            self._checks.validate(batch)
            batch.write.format("delta").mode("append").save(self._path("silver"))
        batch.unpersist()

    def _merge_gold(self, batch: DataFrame, batch_id: int) -> None:
        same = " AND ".join(f"old.{column} = new.{column}" for column in tables.GOLD_KEY)
        gold = DeltaTable.forPath(batch.sparkSession, self._path("gold")).alias("old")
        gold.merge(batch.alias("new"), same).whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()

    def _stream(self, name: str) -> DataFrame:
        return self._spark.readStream.format("delta").load(self._path(name))

    def _path(self, name: str) -> str:
        return str(self._folder / name)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve rounds until the input ends, or with `--stream` run all queries until killed."""
    parser = argparse.ArgumentParser(prog="tutorial.py", description=__doc__)
    parser.add_argument("--stream", type=Path, metavar="DIR", help="stream into this folder instead of serving rounds")
    add_settings_arguments(parser, "kafka")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    # Its own settings in place of conf/spark-defaults.conf, which only names the JARs.
    jars = ROOT / ".local" / "jars" / "spark"
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--properties-file {PROPERTIES} --driver-class-path {jars}/* pyspark-shell"
    spark = build_session("momo bench: tutorial")
    checks = BatchChecks()
    if arguments.stream:
        for query in Tutorial(spark, arguments.stream, settings, checks).start():
            query.awaitTermination()
    else:
        serve(lambda folder: Tutorial(spark, folder, settings, checks).run_available())
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
