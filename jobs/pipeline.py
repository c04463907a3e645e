"""The wiring: Kafka → bronze and quarantine → silver → gold, as three streaming queries.

Each query turns a batch into rows of its table by a pure function, and writes it. A batch is repeated only by a
restart, so the first batch after each start is written with a look at what is there, all others plainly.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from jobs import bronze, enrichment, gold, rules, silver
from jobs.lake import Lake
from jobs.settings import Settings
from jobs.windows import GoldWriter
from schemas.tables import BRONZE, QUARANTINE, SILVER, Table

WriteBatch = Callable[[DataFrame, int], None]


class Pipeline:
    """The three queries of a lake. Tables exist and the lake is locked before it is made."""

    def __init__(self, spark: SparkSession, lake: Lake, settings: Settings, topic: DataFrame) -> None:
        """Read what the queries need to know from before this start; `topic` is a stream of Kafka's columns."""
        self._spark, self._lake, self._settings, self._topic = spark, lake, settings, topic
        self._countries, self._operators = enrichment.read_prefixes()
        self._newest_event_time: datetime | None = lake.value(f"SELECT max(event_time) FROM {SILVER.name}")
        self._gold = GoldWriter(lake, settings.stream.lateness)
        # Tables that have had their first batch since this start.
        self._written: set[str] = set()

    def start(self) -> list[StreamingQuery]:
        """Start all queries; they run until stopped."""
        trigger = self._settings.stream.trigger
        return [writer.trigger(processingTime=trigger).start() for writer in self._writers()]

    def run_available(self) -> None:
        """Carry what is in the topic now through all tables, then return."""
        for writer in self._writers():
            writer.trigger(availableNow=True).start().awaitTermination()

    def _writers(self) -> list[DataStreamWriter]:
        """The queries; all columns are built here, for building them in each batch would cost more than its rows."""
        stream = self._settings.stream
        parsed = bronze.parse_events(self._topic, self._settings.dummy, stream.future_tolerance)
        transactions = silver.transactions(self._lake.stream(self._spark, BRONZE))
        survivors = silver.deduplicate(transactions, stream.dedup_horizon)
        enriched = enrichment.with_countries_and_operators(survivors, self._countries, self._operators)
        windows = gold.changed_windows(self._lake.stream(self._spark, SILVER), stream.lateness)
        return [
            self._writer("bronze", parsed, self._write_bronze),
            self._writer("silver", enriched, self._write_silver),
            self._writer("gold", windows, self._write_gold),
        ]

    def _writer(self, name: str, rows: DataFrame, write: WriteBatch) -> DataStreamWriter:
        return (
            rows.writeStream.queryName(name)
            .outputMode("update" if name == "gold" else "append")
            .option("checkpointLocation", self._lake.checkpoint_path(name))
            .foreachBatch(write)
        )

    def _write_bronze(self, parsed: DataFrame, batch_id: int) -> None:
        """Append to bronze, and to quarantine what of it breaks a rule.

        A batch that is repeated after a start may be in bronze already, not yet in quarantine: then it is bronze's
        newest append.
        """
        seen = Observation()
        rows = _with_constant(parsed, "ingested_at", datetime.now(UTC)).select(BRONZE.column_names)
        self._append(rows.observe(seen, F.count(F.when(~rules.accepted(), 1)).alias("broken")), BRONZE)
        if seen.get["broken"]:
            self._append(silver.quarantined(self._lake.newest_rows(self._spark, BRONZE)), QUARANTINE)

    def _write_silver(self, enriched: DataFrame, batch_id: int) -> None:
        """Append to silver, with the newest event time of the batches before."""
        seen = Observation()
        rows = _with_constant(enriched, "stream_time", self._newest_event_time).select(SILVER.column_names)
        self._append(rows.observe(seen, F.max(F.unix_micros("event_time")).alias("newest_micros")), SILVER)
        self._newest_event_time = _newer(self._newest_event_time, seen.get["newest_micros"])

    def _write_gold(self, changed: DataFrame, batch_id: int) -> None:
        self._gold.write(changed)

    def _append(self, rows: DataFrame, table: Table) -> None:
        if table.name in self._written:
            self._lake.append(rows, table)
        else:
            self._lake.append_onward(rows, table)
            self._written.add(table.name)


def _with_constant(rows: DataFrame, name: str, value: datetime | None) -> DataFrame:
    """A column with one value in the whole batch.

    As the first element of a list, by an index that looks like data: a plain literal that changes from batch to batch
    stands in the generated code and makes Spark compile it anew each time, a list is only referred to.
    """
    one = F.array(F.lit(value).cast("timestamp"))
    return rows.withColumn(name, F.get(one, F.col("partition") % 1))


def _newer(time: datetime | None, micros: int | None) -> datetime | None:
    if micros is None:
        return time
    other = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
    return other if time is None or other > time else time
