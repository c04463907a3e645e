"""A day of silver anew from bronze, by the parser, the rules and the reference tables of today.

First a look, which changes nothing: the payloads of bronze are read again, and what bronze, silver and quarantine say
is compared with that. Then the commits: bronze, so that its columns say what is read today; quarantine, which takes
what is refused now; silver, which lets that go; silver, which says of others what they say today; silver once more,
which takes what was nowhere. A record is never nowhere in between, and after a kill the next look finds the rest.

What the stream may still touch is left to it: hours that are not closed for good, and records that its next start
carries again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from jobs import bronze, enrichment, quarantine, rules, silver
from jobs.corrections import PLACE, correct_rows, remove_rows
from jobs.ingest import carried_again
from jobs.lake import Lake, read_columns
from jobs.settings import Settings, duration_seconds
from schemas.tables import BRONZE, COORDINATES, QUARANTINE, SILVER, TRANSACTION, TRANSACTION_LATER

# What is made of a record by reading it.
_READ = [*(column.name for column in (*TRANSACTION, *TRANSACTION_LATER)), "broken_rules"]
_EVENT = [*(column.name for column in COORDINATES), *_READ]
# What quarantine says of the rules that looked last.
_VERDICT = ("state", "last_broken_rules", "rules_version")
# What silver says of a record; its other columns tell where it is, and of its way there.
_SAID = [name for name in SILVER.column_names if name not in (*PLACE, "stream_time", "ingested_at")]
_TYPES = {column.name: column.type for column in (*BRONZE.columns, *SILVER.columns)}


@dataclass(frozen=True)
class Changes:
    """What a day needs, by places in Kafka. `read_otherwise` are events of which bronze says something else.

    `left` counts more of these, that are not to be touched now. Of the events, `gone` are refused and in silver,
    `refused` are in no table. Of rows of silver, `replaced` say something else now, `fit` are in no table and repeat
    none. Silver was looked at in `silver_version` or later.
    """

    looked_at: int
    left: int
    silver_version: int
    read_otherwise: pa.Table
    gone: pa.Table
    refused: pa.Table
    replaced: pa.Table
    fit: pa.Table


class SilverBackfill:
    """Sets silver right, day by day; safe to repeat."""

    def __init__(
        self,
        spark: SparkSession,
        lake: Lake,
        settings: Settings,
        silver_columns: enrichment.Steps,
        days: Sequence[date],
        closed_before: datetime,
    ) -> None:
        """`silver_columns` are what silver makes of a bronze row beyond its own columns.

        A row that moves from one day to another is touched when both are among `days`, for gold's are set right after.
        """
        self._spark, self._lake, self._settings = spark, lake, settings
        self._silver_columns, self._days, self._closed_before = silver_columns, days, closed_before

    def look(self, day: date) -> Changes:
        """What differs of a day; nothing is changed."""
        stored = self._settled(day)
        silver_version = self._lake.newest_version(SILVER)
        differing = self._read_otherwise(day, stored).toArrow()
        read_otherwise = differing.filter(differing["is_ours"]).select(_EVENT)
        events = self._with(stored.select(_EVENT), read_otherwise)
        of_day = events.filter(_is_of(day, "event_time") & self._is_ours("event_time"))
        there = self._lake.read(self._spark, SILVER).filter(F.col("event_date") == F.lit(day))
        gone = self._gone(events, there).toArrow()
        nowhere = self._nowhere(of_day)
        return Changes(
            looked_at=of_day.count(),
            left=differing.num_rows - read_otherwise.num_rows,
            silver_version=silver_version,
            read_otherwise=read_otherwise,
            gone=gone,
            refused=nowhere.filter(~rules.accepted()).toArrow(),
            replaced=self._replaced(events, there).toArrow(),
            fit=self._fit(nowhere, without=gone).toArrow(),
        )

    def carry_out(self, changes: Changes) -> None:
        """Set the tables right; safe to stop at any point."""
        correct_rows(self._lake, BRONZE, changes.read_otherwise, _READ)
        self._quarantine(pa.concat_tables([changes.gone, changes.refused]))
        remove_rows(self._lake, SILVER, changes.gone)
        correct_rows(self._lake, SILVER, changes.replaced, _SAID)
        with self._lake.writing(SILVER):
            self._append_silver(changes)

    def _settled(self, day: date) -> DataFrame:
        """The rows of bronze that may be of this day, but for those that the stream's next start carries again."""
        # The version first: of what is older than the batch that is asked for next, all has been carried.
        version = self._lake.newest_version(BRONZE)
        again = [
            (F.col("topic") == topic) & (F.col("partition") == partition) & (F.col("offset") >= first)
            for (topic, partition), first in carried_again(self._lake).items()
        ]
        rows = self._lake.read(self._spark, BRONZE, version).filter(~reduce(Column.__or__, again, F.lit(False)))
        return rows.filter(F.col("kafka_timestamp") >= F.lit(self._arrived_since(day)))

    def _arrived_since(self, day: date) -> datetime:
        """No record of the day that passes arrived before this: an event is not dated much later than its arrival."""
        tolerance = timedelta(seconds=duration_seconds(self._settings.stream.future_tolerance))
        since = datetime(day.year, day.month, day.day, tzinfo=UTC) - tolerance
        first = self._lake.value(f"SELECT min(kafka_timestamp) FROM {SILVER.name} WHERE event_date = '{day}'")
        return min(since, first or since)

    def _read_otherwise(self, day: date, stored: DataFrame) -> DataFrame:
        """The events of which bronze does not say what is read today, of this day by the one or the other."""
        dummy, tolerance = self._settings.dummy, self._settings.stream.future_tolerance
        today = bronze.parse_events(bronze.records_of(stored), dummy, tolerance)
        now = today.select(*PLACE, "kafka_timestamp", F.struct(*_READ).alias("now"))
        then = stored.select(*PLACE, F.struct(*_READ).alias("then"))
        differs = ~F.col("now").eqNullSafe(F.col("then"))
        of_day = _is_of(day, "now.event_time") | _is_of(day, "then.event_time")
        is_ours = self._is_ours("now.event_time") & self._is_ours("then.event_time")
        rows = now.join(then, list(PLACE)).filter(differs & of_day)
        return rows.select(*PLACE, "kafka_timestamp", "now.*", is_ours.alias("is_ours"))

    def _is_ours(self, time: str) -> Column:
        """An event without a time is in no window."""
        return F.col(time).isNull() | (F.to_date(time).isin(*self._days) & (F.col(time) < F.lit(self._closed_before)))

    def _with(self, events: DataFrame, changed: pa.Table) -> DataFrame:
        """The events, where these stand in place of those of the same records."""
        if not changed.num_rows:
            return events
        return silver.without(events, self._places(changed)).unionByName(self._frame(changed))

    def _gone(self, events: DataFrame, there: DataFrame) -> DataFrame:
        """The refused ones of rows that are in silver."""
        in_silver = there.filter(self._is_ours("event_time")).select(*PLACE)
        refused = events.filter(~rules.accepted() & self._is_ours("event_time"))
        return refused.join(in_silver, list(PLACE), "left_semi").select(_EVENT)

    def _replaced(self, events: DataFrame, there: DataFrame) -> DataFrame:
        """What silver is to say of accepted ones of which it says something else."""
        says = there.select(*PLACE, F.struct(*_SAID).alias("says"))
        must_say = self._said(events).select(*PLACE, F.struct(*_SAID).alias("must_say"))
        differs = ~F.col("must_say").eqNullSafe(F.col("says"))
        is_ours = self._is_ours("must_say.event_time") & self._is_ours("says.event_time")
        rows = must_say.join(says, list(PLACE)).filter(differs & is_ours)
        return rows.select(*PLACE, "must_say.*")

    def _nowhere(self, events: DataFrame) -> DataFrame:
        """Those that are neither in silver nor in quarantine."""
        for table in (SILVER, QUARANTINE):
            there = self._lake.read(self._spark, table).select(*PLACE)
            events = events.join(there, list(PLACE), "left_anti")
        return events.select(_EVENT)

    def _fit(self, nowhere: DataFrame, without: pa.Table) -> DataFrame:
        """Of the accepted ones the first, in Kafka's order, of each key that silver lacks without these rows."""
        held = self._lake.read(self._spark, SILVER)
        if without.num_rows:
            held = silver.without(held, self._places(without))
        free = self._said(nowhere).join(held.select(*SILVER.key), list(SILVER.key), "left_anti")
        in_order = Window.partitionBy(*SILVER.key).orderBy("kafka_timestamp", *PLACE)
        first = free.withColumn("rank", F.row_number().over(in_order)).filter(F.col("rank") == 1)
        return first.select(*PLACE, *_SAID)

    def _said(self, events: DataFrame) -> DataFrame:
        """What silver is to say of the accepted ones."""
        transactions = silver.transactions(events.withColumn("ingested_at", F.lit(None).cast("timestamp")))
        return enrichment.with_steps(transactions, self._silver_columns).select(*PLACE, *_SAID)

    def _quarantine(self, refused: pa.Table) -> None:
        """Add those that are not there yet; one that a retry had released is open again."""
        if refused.num_rows:
            rows, there = silver.quarantined(self._frame(refused)), self._lake.read(self._spark, QUARANTINE)
            released = there.filter(F.col("state") == quarantine.RELEASED).select(*PLACE)
            known = rows.join(released, list(PLACE), "left_semi")
            reopened = known.withColumn("last_broken_rules", F.col("broken_rules")).select(*PLACE, *_VERDICT)
            correct_rows(self._lake, QUARANTINE, reopened.toArrow(), _VERDICT)
            fresh = rows.join(there.select(*PLACE), list(PLACE), "left_anti").select(QUARANTINE.column_names)
            self._lake.append(fresh, QUARANTINE)

    def _append_silver(self, changes: Changes) -> None:
        """Add what is fit, as late as it is, but for keys that have come to silver since. Silver is held."""
        files = self._lake.appended(SILVER, after=changes.silver_version)
        since = set(_keys(read_columns(files, SILVER.key))) if files else set()
        fit = changes.fit.filter(pa.array([key not in since for key in _keys(changes.fit)], pa.bool_()))
        if fit.num_rows:
            newest = self._lake.value(f"SELECT max(event_time) FROM {SILVER.name}")
            times = {"stream_time": F.lit(newest), "ingested_at": F.lit(datetime.now(UTC))}
            rows = self._frame(fit).withColumns(times).select(SILVER.column_names)
            self._lake.append_held(rows, SILVER)

    def _places(self, rows: pa.Table) -> DataFrame:
        return self._spark.createDataFrame(rows.select(PLACE))

    def _frame(self, rows: pa.Table) -> DataFrame:
        """Rows in Spark; cast, for Arrow says nothing of whether an element of a list may be null."""
        frame = self._spark.createDataFrame(rows)
        return frame.select([F.col(name).cast(_TYPES[name]) for name in rows.column_names])


def _keys(rows: pa.Table) -> list[tuple[str, ...]]:
    return list(zip(*(rows[name].to_pylist() for name in SILVER.key), strict=True))


def _is_of(day: date, time: str) -> Column:
    return F.coalesce(F.to_date(time) == F.lit(day), F.lit(False))
