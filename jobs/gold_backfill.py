"""The windows of a day anew from silver, and in gold what differs from them set right, beside the running stream.

Only windows that the stream has closed for good. Silver is read without a lock, so before the merge those windows are
left out for which rows have come to silver since: they are late rows, for which the stream recomputes the windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import gold, silver
from jobs.corrections import PLACE, correct_windows
from jobs.gold import Windowed
from jobs.lake import Lake, read_columns
from jobs.windows import named, of_table
from schemas.tables import SILVER, Table

_IN_GOLD = " in gold"


@dataclass(frozen=True)
class Recomputed:
    """The rows of `gold.whole_windows` of a day that end by `closed_before`, from silver at this version or later."""

    day: date
    closed_before: datetime
    silver_version: int
    windows: pa.Table


@dataclass(frozen=True)
class Difference:
    """What gold says otherwise than silver: windows with the table's columns, `is_new` and `is_gone`.

    `left` counts the windows that are open, and those that differ and have late rows on their way.
    """

    table: Table
    windows: pa.Table
    looked_at: int
    left: int


class GoldBackfill:
    """Sets gold tables right, day by day; safe to repeat."""

    def __init__(self, spark: SparkSession, lake: Lake, tables: Sequence[Table], closed_before: datetime) -> None:
        """`closed_before` is that of `windows.closed_for_good`."""
        self._spark, self._lake, self._closed_before = spark, lake, closed_before
        self._specs = [spec for spec in gold.windowed() if spec.table in tables]

    def recompute(self, day: date, without: pa.Table | None = None) -> Recomputed:
        """The closed windows of a day, as if the rows at these places in Kafka were not in silver."""
        version = self._lake.newest_version(SILVER)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        closed_before = min(self._closed_before, midnight + timedelta(days=1))
        in_time = (F.col("event_date") == F.lit(day)) & (F.col("event_time") < F.lit(closed_before))
        rows = self._lake.read(self._spark, SILVER).filter(in_time)
        if without is not None and without.num_rows:
            rows = silver.without(rows, self._spark.createDataFrame(without.select(PLACE)))
        return Recomputed(day, closed_before, version, gold.whole_windows(rows).toArrow())

    def compare(self, recomputed: Recomputed) -> list[Difference]:
        """What `correct` would set right."""
        files = self._lake.appended(SILVER, after=recomputed.silver_version)
        late = read_columns(files, ["event_time"])["event_time"].combine_chunks() if files else None
        return [self._difference(spec, recomputed, late) for spec in self._specs]

    def correct(self, recomputed: Recomputed) -> list[Difference]:
        """Set right what differs; one commit for each table where something does."""
        with self._lake.correcting():
            differences = self.compare(recomputed)
            for difference in differences:
                if difference.windows.num_rows:
                    correct_windows(self._lake, difference.table, difference.windows)
        return differences

    def _difference(self, spec: Windowed, recomputed: Recomputed, late: pa.Array | None) -> Difference:
        there = self._lake.query(f"SELECT * FROM {spec.table.name} WHERE window_date = '{recomputed.day}'")
        is_closed = pc.less_equal(there["window_end"], recomputed.closed_before)
        closed, closed_count = there.filter(is_closed), pc.sum(is_closed).as_py() or 0
        wanted = named(spec, of_table(recomputed.windows, spec), recomputed.closed_before, is_correction=True)
        changed = changed_windows(spec, wanted, closed)
        ours = changed if late is None else changed.filter(pc.invert(_is_touched(changed, late, spec.minutes)))
        return Difference(
            table=spec.table,
            windows=ours,
            looked_at=closed_count + int(pc.sum(changed["is_new"]).as_py() or 0),
            left=there.num_rows - closed_count + changed.num_rows - ours.num_rows,
        )


def changed_windows(spec: Windowed, wanted: pa.Table, there: pa.Table) -> pa.Table:
    """The windows that `there` lacks, has too much or says otherwise: the columns of the table, `is_new`, `is_gone`."""
    joined = wanted.join(there, list(spec.table.key), join_type="full outer", right_suffix=_IN_GOLD)
    is_gone, is_new = pc.is_null(joined["window_end"]), pc.is_null(joined["window_end" + _IN_GOLD])
    differs = reduce(pc.or_, (_differ(joined[name], joined[name + _IN_GOLD]) for name in spec.measures))
    columns = {name: joined[name] for name in spec.table.column_names}
    # A merge finds the files by it, of what is gone too.
    columns["window_date"] = pc.coalesce(joined["window_date"], joined["window_date" + _IN_GOLD])
    return pa.table({**columns, "is_new": is_new, "is_gone": is_gone}).filter(pc.or_(differs, pc.or_(is_new, is_gone)))


def _differ(a: pa.ChunkedArray, b: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.or_(pc.fill_null(pc.not_equal(a, b), False), pc.xor(pc.is_null(a), pc.is_null(b)))


def _is_touched(windows: pa.Table, times: pa.Array, minutes: int) -> pa.ChunkedArray:
    """Whether the window holds one of these times."""
    starts = pc.floor_temporal(times, multiple=minutes, unit="minute")
    return pc.is_in(windows["window_start"], value_set=starts)
