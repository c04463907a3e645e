"""Write the gold windows that a batch changed: name the slots, recompute what late events correct, merge by key."""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import gold, retention
from jobs.gold import Windowed
from jobs.lake import LONGEST_WINDOW, Lake
from jobs.rules import FIRST_EVENT_TIME
from jobs.settings import duration_seconds
from schemas.tables import SILVER

_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Rebuild:
    """How gold begins anew: silver's newest event time, since when hours are open by it, and the closed ones it lacks.

    An hour is lacking when gold has fewer rows of it than silver.
    """

    newest_time: datetime
    open_since: datetime
    lacking: tuple[datetime, ...]


def closed_by(newest_time: datetime, lateness: timedelta) -> datetime:
    """The end of the last hour that is closed when the newest event of silver is of this time."""
    return (newest_time - lateness).replace(minute=0, second=0, microsecond=0)


class GoldWriter:
    """Merges the output of `gold.changed_windows` into the gold tables, batch by batch; safe to repeat."""

    def __init__(self, lake: Lake, lateness: str) -> None:
        """`lateness` is how far behind the newest event a window stays open."""
        self._lake = lake
        self._lateness = timedelta(seconds=duration_seconds(lateness))
        self._closed_before: datetime | None = None
        self._specs = gold.windowed()

    def write(self, changed: DataFrame, batch_id: int) -> None:
        """One commit per gold table that changed, and one more in the first batch after an hour has closed."""
        rows = changed.drop("counted_hour").toArrow()
        if rows.num_rows == 0:
            return
        is_late = rows["is_late"]
        notes, on_time = rows.filter(is_late), rows.filter(pc.invert(is_late))
        closed_before = closed_by(pc.max(rows["newest_time"]).as_py(), self._lateness)
        with self._lake.correcting() if notes.num_rows else nullcontext():
            corrected = self._recomputed(changed.sparkSession, notes) if notes.num_rows else None
            for spec in self._specs:
                self._write_table(spec, on_time, notes, corrected, closed_before)
        self._close_windows(closed_before)

    def recompute(self, spark: SparkSession, rebuild: Rebuild) -> None:
        """Put the windows of the lacking hours in place, whole, from silver; hour by hour, whatever their number."""
        silver = self._lake.read(spark, SILVER)
        for hour in rebuild.lacking:
            in_hour = (F.col("event_time") >= hour) & (F.col("event_time") < hour + timedelta(hours=1))
            whole = gold.whole_windows(silver.filter((F.col("event_date") == hour.date()) & in_hour)).toArrow()
            for spec in self._specs:
                windows = named(spec, of_table(whole, spec), rebuild.open_since, is_correction=True)
                if windows.num_rows:
                    self._lake.merge_windows(spec.table, windows)

    def _write_table(
        self, spec: Windowed, on_time: pa.Table, notes: pa.Table, corrected: pa.Table | None, closed_before: datetime
    ) -> None:
        noted = of_table(notes, spec)["window_start"].combine_chunks()
        fresh = of_table(on_time, spec)
        fresh = fresh.filter(pc.invert(pc.is_in(fresh["window_start"], noted)))
        parts = [named(spec, fresh, closed_before, is_correction=False)]
        if corrected is not None:
            parts.append(named(spec, of_table(corrected, spec), closed_before, is_correction=True))
        windows = pa.concat_tables(parts)
        if windows.num_rows:
            self._lake.merge_windows(spec.table, windows)

    def _recomputed(self, spark: SparkSession, notes: pa.Table) -> pa.Table:
        """The noted windows, whole, from silver; `newest_arrival` is that of the late rows' window."""
        noted = spark.createDataFrame(notes.select(["table_name", "window_start"])).distinct()
        starts = notes["window_start"]
        # Rows from the first noted start to the end of the longest window at the last one hold them all.
        first, last = pc.min(starts).as_py(), pc.max(starts).as_py() + LONGEST_WINDOW
        in_range = (F.col("event_time") >= first) & (F.col("event_time") < last)
        in_days = (F.col("event_date") >= first.date()) & (F.col("event_date") <= last.date())
        silver = self._lake.read(spark, SILVER).filter(in_days & in_range)
        recomputed = gold.whole_windows(silver).join(F.broadcast(noted), ["table_name", "window_start"], "left_semi")
        return recomputed.toArrow()

    def _close_windows(self, closed_before: datetime) -> None:
        if self._closed_before is None or closed_before > self._closed_before:
            for spec in self._specs:
                self._lake.close_windows(spec.table, closed_before, since=self._closed_before)
            self._closed_before = closed_before


def closed_for_good(lake: Lake, lateness: str) -> datetime:
    """The windows that end by this will never be counted by the stream again, only recomputed; 1970 where all may be.

    Of the rows that the stream has still to carry from silver to gold, each is late in an hour that was closed by what
    it has carried. So who writes such a window from silver is not overwritten with what was counted before.
    """
    silver = DeltaTable(lake.table_path(SILVER))
    version = retention.version_done(Path(lake.checkpoint_path("")), "gold", str(silver.metadata().id))
    if version < 0:
        return FIRST_EVENT_TIME
    carried = pa.table(DeltaTable(lake.table_path(SILVER), version=version).get_add_actions(flatten=True))
    if not carried.num_rows:
        return FIRST_EVENT_TIME
    return closed_by(pc.max(carried["max.event_time"]).as_py(), timedelta(seconds=duration_seconds(lateness)))


def of_table(rows: pa.Table, spec: Windowed) -> pa.Table:
    """The rows of the aggregation that are windows of this gold table."""
    return rows.filter(pc.equal(rows["table_name"], spec.table.name))


def named(spec: Windowed, rows: pa.Table, closed_before: datetime, is_correction: bool) -> pa.Table:
    """Rows of the aggregation as rows of the gold table, and `is_correction`."""
    starts = rows["window_start"].cast(_TIME)
    ends = pc.add(starts, pa.scalar(timedelta(minutes=spec.minutes), pa.duration("us")))
    arrivals = rows["newest_arrival"].cast(_TIME)
    columns = {
        "window_start": starts,
        "window_end": ends,
        **{key: pc.list_element(rows["keys"], i) for i, key in enumerate(spec.keys)},
        **{measure: rows[slot] for measure, slot in spec.measures.items()},
        "is_final": pc.less_equal(ends, pa.scalar(closed_before, _TIME)),
        "revision": pa.repeat(pa.scalar(int(is_correction), pa.int32()), rows.num_rows),
        "corrected_at": arrivals if is_correction else pa.nulls(rows.num_rows, _TIME),
        "window_date": starts.cast(pa.date32()),
        "is_correction": pa.repeat(is_correction, rows.num_rows),
    }
    return pa.table({name: columns[name] for name in [*spec.table.column_names, "is_correction"]})
