"""The wiring: Kafka → bronze → quarantine or silver → gold and alerts, as two streaming queries and a follower.

`ingest` turns Kafka's records into rows by pure functions and writes bronze, quarantine and silver; `gold` counts
silver's appends in windows; alerts follow silver's commits without Spark. Each writer is safe to repeat, which is what
a restart after a kill does.
"""

from collections.abc import Callable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from jobs import bronze, enrichment, gold
from jobs.alerts import progress
from jobs.alerts.following import AlertFollower
from jobs.alerts.rulebook import LiveRules
from jobs.alerts.sending import Receiver, Sending
from jobs.alerts.writing import AlertWriter
from jobs.ingest import IngestWriter
from jobs.lake import Lake
from jobs.lake_keys import ring_for_writing
from jobs.settings import Settings
from jobs.windows import GoldWriter, Rebuild
from schemas.tables import SILVER

# How often gold looks for new rows of silver. At the beat of the trigger it would start with the next batch of ingest,
# not with the end of the last one; what it finds, not how often it looks, makes its commits.
GOLD_LOOKS_EVERY = "500 milliseconds"


class Pipeline:
    """The queries of a lake. Tables exist and the lake is locked before it is made."""

    def __init__(
        self,
        spark: SparkSession,
        lake: Lake,
        settings: Settings,
        topic: DataFrame,
        rebuild: Rebuild | None = None,
        alerts_to: Receiver | None = None,
    ) -> None:
        """Read what the queries need to know from before this start; `topic` is a stream of Kafka's columns.

        With `rebuild` gold begins without a checkpoint, but with the windows it has. `alerts_to` takes alerts besides
        their table.
        """
        self._spark, self._lake, self._settings, self._topic = spark, lake, settings, topic
        silver_columns = enrichment.silver_columns(ring_for_writing(lake, settings.privacy))
        self._ingest = IngestWriter(spark, lake, settings.stream.dedup_keys, silver_columns)
        self._rebuild = rebuild
        self._gold = GoldWriter(lake, settings.stream.lateness)
        if rebuild:
            self._gold.recompute(spark, rebuild)
        self._alerts = self._alert_writer(alerts_to)

    def start(self) -> list[StreamingQuery]:
        """Start all queries; they run until stopped."""
        ingest, windows = self._writers()
        return [
            ingest.trigger(processingTime=self._settings.stream.trigger).start(),
            windows.trigger(processingTime=GOLD_LOOKS_EVERY).start(),
        ]

    def follow(self) -> list[AlertFollower]:
        """Let alerts follow silver until stopped, where the settings want them."""
        return [AlertFollower(self._alerts)] if self._alerts else []

    def run_available(self) -> None:
        """Carry what is in the topic now through all tables, then return."""
        # Before the first row, or each of them would be late for alerts that begin behind the last one.
        self._carry_alerts()
        for writer in self._writers():
            writer.trigger(availableNow=True).start().awaitTermination()
        self._carry_alerts()

    def _carry_alerts(self) -> None:
        while self._alerts and self._alerts.carry():
            pass

    def _alert_writer(self, alerts_to: Receiver | None) -> AlertWriter | None:
        stream = self._settings.stream
        if not stream.alerts:
            progress.forget(self._lake)
            return None
        return AlertWriter(self._lake, LiveRules(self._settings.rules_path), stream.lateness, Sending(alerts_to))

    def _writers(self) -> list[DataStreamWriter]:
        """The queries; all columns are built here, for building them in each batch would cost more than its rows."""
        stream = self._settings.stream
        parsed = bronze.parse_events(self._topic, self._settings.dummy, stream.future_tolerance)
        windows = gold.changed_windows(self._silver(), stream.lateness)
        return [
            self._writer("ingest", parsed, "append", self._ingest.write),
            self._writer("gold", windows, "update", self._gold.write),
        ]

    def _silver(self) -> DataFrame:
        rows, rebuild = self._lake.stream(self._spark, SILVER), self._rebuild
        return gold.rows_to_begin_with(rows, rebuild.open_since, rebuild.newest_time) if rebuild else rows

    def _writer(
        self, name: str, rows: DataFrame, output_mode: str, write: Callable[[DataFrame, int], None]
    ) -> DataStreamWriter:
        self._lake.discard_unfinished_start(name)
        return (
            rows.writeStream.queryName(name)
            .outputMode(output_mode)
            .option("checkpointLocation", self._lake.checkpoint_path(name))
            .foreachBatch(write)
        )
