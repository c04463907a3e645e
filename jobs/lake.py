"""The lake: a folder of Delta tables, and the only place that writes them.

Bronze, silver and quarantine are appended by Spark. Gold is merged by delta-rs, which takes a tenth of a second
where Spark's MERGE takes two; one engine then owns all writes of a table.
"""

import fcntl
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
from deltalake import DeltaTable, QueryBuilder, Schema
from deltalake.exceptions import TableNotFoundError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import appending
from jobs.errors import LakeLocked, SettingsError
from jobs.new_columns import add_new_columns, new_columns
from schemas.tables import BRONZE, TABLES, Table

# Every tenth commit by default: a rewrite of the whole table's state, up to 1.6 s inside a batch.
CHECKPOINT_INTERVAL = "100"
LONGEST_WINDOW = timedelta(hours=1)
# The largest number Delta takes for the files of a batch; 1000 is its default.
_ALL_FILES = 2**31 - 1


@dataclass(frozen=True)
class Lake:
    """The tables under one folder."""

    path: Path

    def table_path(self, table: Table) -> str:
        """Where a table is."""
        return str(self.path / table.name)

    def checkpoint_path(self, query: str) -> str:
        """Where a streaming query keeps its offsets and state."""
        return str(self.path / "_checkpoints" / query)

    def discard_unfinished_start(self, query: str) -> None:
        """Delete the half-written offsets of a query that was killed in its first batch: Spark would refuse to begin.

        A query that has written offsets keeps whatever is there.
        """
        offsets = Path(self.checkpoint_path(query)) / "offsets"
        if offsets.is_dir() and not any(path.name.isdigit() for path in offsets.iterdir()):
            for unfinished in offsets.glob(".*.tmp*"):
                unfinished.unlink()

    def must_exist(self) -> None:
        """Raise `SettingsError` when there is no table."""
        if not any(self.path.glob("*/_delta_log")):
            raise SettingsError(f"There are no tables in {self.path}: run `momo stream` first, or name another --lake.")

    def create(self, tables: Sequence[Table] = TABLES) -> None:
        """Make the tables that are not there, and add what is new at the end of ours to those of an earlier version.

        Raises `SettingsError` when a table has other columns.
        """
        for table in tables:
            existing = self.open(table)
            if existing is None:
                self._create(table, Schema.from_json(table.schema.json()))
            elif new_columns(existing, table):
                with self.writing(table):
                    add_new_columns(self.path / table.name, table)

    def _create(self, table: Table, schema: Schema) -> None:
        # Names alone of what readers skip by: min and max of other columns would put phone numbers into the log.
        configuration = {"delta.checkpointInterval": CHECKPOINT_INTERVAL}
        if table.ordinal:
            configuration["delta.dataSkippingStatsColumns"] = ",".join(table.ordinal)
        with self.writing(table):
            DeltaTable.create(
                self.table_path(table),
                schema,
                name=table.name,
                description=table.grain,
                partition_by=list(table.partitioned_by),
                configuration=configuration,
            )
        if table == BRONZE:
            # Phone numbers are in clear there alone.
            (self.path / table.name).chmod(0o700)

    def open(self, table: Table) -> DeltaTable | None:
        """The table as delta-rs sees it now; None when it does not exist."""
        try:
            return DeltaTable(self.table_path(table))
        except TableNotFoundError:
            return None

    def read(self, spark: SparkSession, table: Table, version: int | None = None) -> DataFrame:
        """The table as Spark sees it now, or as it was at a version."""
        options = {} if version is None else {"versionAsOf": str(version)}
        return spark.read.format("delta").options(**options).load(self.table_path(table))

    def read_files(self, spark: SparkSession, table: Table, files: Sequence[str]) -> DataFrame:
        """The rows of these files of a table without partitions, for who has just written them."""
        return spark.read.schema(table.schema).parquet(*files)

    def stream(self, spark: SparkSession, table: Table) -> DataFrame:
        """The table's appends as a stream; a commit that takes rows away is passed over, whatever it adds.

        No commit is divided between batches: the first parts would move the watermark past rows of the last one.
        """
        options = {"skipChangeCommits": "true", "maxFilesPerTrigger": str(_ALL_FILES)}
        return spark.readStream.format("delta").options(**options).load(self.table_path(table))

    def append(self, rows: DataFrame, table: Table) -> list[str]:
        """Append in one commit; gives the files it added, none where there were no rows."""
        with self.writing(table):
            return self.append_held(rows, table)

    def append_held(self, rows: DataFrame, table: Table) -> list[str]:
        """As `append`, for who holds the table: a look at it and the append that depends on it belong together."""
        return appending.append(rows, table, self.path / table.name, self.path / "_appending" / table.name)

    def replace_day(self, rows: DataFrame, table: Table, day: date) -> None:
        """Put rows in place of those of a day, in one commit; streams over the table pass over it."""
        with self.writing(table):
            scratch = self.path / "_appending" / table.name
            appending.replace_day(rows, day, table, self.path / table.name, scratch)

    def append_onward(self, rows: DataFrame, table: Table) -> list[str]:
        """Append the rows after the offsets the table has reached: safe for a batch that may have been written before.

        A batch can be repeated only by a restart, so this is for the first batch after a start; Delta's own check
        would rebuild the table's state in every batch. It needs a table that a stream fills in the order of offsets.
        """
        reached = f'SELECT topic, "partition", max("offset") AS last FROM {table.name} GROUP BY 1, 2'
        for row in self.query(reached).to_pylist():
            same_partition = (F.col("topic") == row["topic"]) & (F.col("partition") == row["partition"])
            rows = rows.filter(~(same_partition & (F.col("offset") <= row["last"])))
        return self.append(rows, table)

    def newest_append(self, table: Table) -> tuple[int, list[str]]:
        """Version and files of the newest commit that brought rows; -1 when none did, a compaction only moves rows.

        No files where persons were erased since: that is done when nothing waits to be carried on, and the files may
        be gone.
        """
        for log in sorted((self.path / table.name / "_delta_log").glob("*.json"), reverse=True):
            if appending.is_erasure(log):
                return int(log.stem), []
            if files := self._added(table, log):
                return int(log.stem), files
        return -1, []

    def newest_version(self, table: Table) -> int:
        """The version of the newest commit."""
        log = self.path / table.name / "_delta_log"
        return max(int(name[:20]) for name in os.listdir(log) if name.endswith(".json") and name[:20].isdigit())

    def appended(self, table: Table, after: int) -> list[str]:
        """Files with new rows of the commits after this version."""
        return [file for commit in self._commits(table, after) for file in self._added(table, commit)]

    def newer(self, table: Table, after: int) -> tuple[int, list[str]]:
        """The newest version since this one, and the files with new rows of the commits in between."""
        commits = list(self._commits(table, after))
        return after + len(commits), [file for commit in commits for file in self._added(table, commit)]

    def has_lost_rows(self, table: Table, after: int) -> bool:
        """Whether a commit after this version took rows away or changed some; a compaction does neither."""
        return any(_takes_away(_actions(commit)) for commit in self._commits(table, after))

    def _commits(self, table: Table, after: int) -> Iterator[Path]:
        log = self.path / table.name / "_delta_log"
        return itertools.takewhile(Path.exists, (log / f"{n:020d}.json" for n in itertools.count(after + 1)))

    def _added(self, table: Table, commit: Path) -> list[str]:
        """Files with new rows of one commit; those of a compaction or of a correction hold rows that were there."""
        actions = _actions(commit)
        adds = [] if _takes_away(actions) else [action["add"] for action in actions if "add" in action]
        return [str(self.path / table.name / unquote(add["path"])) for add in adds if add["dataChange"]]

    def newest_files(self, table: Table, rows: int) -> list[str]:
        """The files that hold at least so many of the rows ingested last, oldest first."""
        files = pa.table(DeltaTable(self.table_path(table)).get_add_actions(flatten=True))
        if not files.num_rows:
            return []
        files = files.sort_by([("max.ingested_at", "descending")])
        before = np.cumsum(files["num_records"].to_numpy()) - files["num_records"].to_numpy()
        newest = files["path"].filter(pa.array(before < rows)).to_pylist()
        return [str(self.path / table.name / path) for path in reversed(newest)]

    def files_holding(self, table: Table, places: pa.Table) -> list[str]:
        """The files that may hold records of these places (topic, partition, offset), by the statistics of the log."""
        files = pa.table(DeltaTable(self.table_path(table)).get_add_actions(flatten=True)).to_pylist()
        partitions, offsets = places["partition"].to_numpy(), places["offset"].to_numpy()
        wanted = {partition: np.sort(offsets[partitions == partition]) for partition in np.unique(partitions)}

        def may_hold(file: dict[str, Any]) -> bool:
            there = [at for p, at in wanted.items() if file["min.partition"] <= p <= file["max.partition"]]
            return any(
                np.searchsorted(at, file["min.offset"]) < np.searchsorted(at, file["max.offset"], "right")
                for at in there
            )

        return [str(self.path / table.name / file["path"]) for file in files if may_hold(file)]

    def merge_windows(self, table: Table, windows: pa.Table) -> None:
        """Put windows in place of those with the same key; one that says the same already stays untouched.

        `windows` has the table's columns and `is_correction`: then the window gets the next revision.
        """
        state = {"is_final", "revision", "corrected_at", "window_date"}
        measures = [name for name in table.column_names if name not in state and name not in table.key]
        differs = " OR ".join(f"(source.{name} IS DISTINCT FROM target.{name})" for name in measures)
        values = {name: f"source.{name}" for name in table.column_names}
        corrected = {
            "revision": "CASE WHEN source.is_correction THEN target.revision + 1 ELSE target.revision END",
            "corrected_at": "CASE WHEN source.is_correction THEN source.corrected_at ELSE target.corrected_at END",
        }
        same = same_window(table, windows)
        with self.writing(table):
            (
                DeltaTable(self.table_path(table))
                .merge(windows, same, source_alias="source", target_alias="target")
                .when_matched_update(predicate=differs, updates=values | corrected)
                .when_not_matched_insert(updates=values)
                .execute()
            )

    def close_windows(self, table: Table, closed_before: datetime, since: datetime | None) -> None:
        """Mark the windows that end by this time as final; those that end by `since` are final already."""
        ended = f"window_end <= {instant(closed_before)}"
        # Starts are in the log's statistics: files of other hours are left alone.
        recent = f"AND window_start >= {instant(since - LONGEST_WINDOW)}" if since else ""
        with self.writing(table):
            DeltaTable(self.table_path(table)).update(
                updates={"is_final": "true"}, predicate=f"NOT is_final AND {ended} {recent}"
            )

    def query(self, sql: str) -> pa.Table:
        """The answer to a SQL query over the tables, by their names, without Spark."""
        builder = QueryBuilder()
        # Silver before bronze, from which it is written: while a stream runs, bronze is then never behind it.
        for folder in sorted(self.path.glob("*/_delta_log"), reverse=True):
            builder.register(folder.parent.name, DeltaTable(str(folder.parent)))
        return in_common_types(pa.table(builder.execute(sql).read_all()))

    def value(self, sql: str) -> Any:
        """The single value a SQL query gives."""
        return self.query(sql).column(0)[0].as_py()

    @contextmanager
    def writing(self, table: Table) -> Iterator[None]:
        """Hold a table for one commit, after whoever else holds it; not to be nested.

        The stream and maintenance write the same tables, and Spark's commit on a local folder, look and then rename,
        would put its own in place of one that came in between.
        """
        with self._lock_file(table.name) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def correcting(self) -> Iterator[None]:
        """Hold gold's closed windows from a look at silver until they are merged, after whoever else holds them.

        Else who looked before would merge last, and put what silver said before in place of what it says now.
        """
        with self._lock_file("corrections") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def alone(self, work: str, done: str) -> Iterator[None]:
        """Do a work of which there is one at a time; raise `LakeLocked` when another process does it.

        The lock goes with the process, so a killed one leaves nothing to clean up.
        """
        with self._lock_file(work) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LakeLocked(
                    f"The lake {self.path} is being {done} by another process: wait until it has finished."
                ) from None
            yield

    def _lock_file(self, name: str) -> TextIO:
        folder = self.path / "_locks"
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / name).open("a")

    @contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Hold the lake for writing; raise `LakeLocked` when another process does.

        Two processes that write one Delta table on a local folder can silently overwrite each other's commits.
        The lock goes with the process, so a killed writer leaves nothing to clean up.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "_lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise LakeLocked(
                    f"The lake {self.path} is being written by {lock.read() or 'another process'}: stop it first."
                ) from None
            lock.truncate(0)
            lock.write(purpose)
            lock.flush()
            yield


def same_window(table: Table, windows: pa.Table) -> str:
    """The merge condition; days and times spelt out let delta-rs leave all other partitions and files alone."""
    starts = windows.column("window_start")
    first, last = (end.as_py().isoformat() for end in (pc.min(starts), pc.max(starts)))
    in_time = f"target.window_start >= TIMESTAMP '{first}' AND target.window_start <= TIMESTAMP '{last}'"
    days = sorted({day.isoformat() for day in windows.column("window_date").to_pylist()})
    in_days = " OR ".join(f"target.window_date = '{day}'" for day in days)
    return " AND ".join([f"({in_days})", in_time, *(f"target.{name} = source.{name}" for name in table.key)])


def _actions(commit: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in commit.read_text().splitlines()]


def _takes_away(actions: Sequence[dict[str, Any]]) -> bool:
    return any(action["remove"]["dataChange"] for action in actions if "remove" in action)


def instant(time: datetime) -> str:
    """SQL for a time; delta-rs compares statistics with nothing but this very type."""
    return f"""arrow_cast('{time.isoformat()}', 'Timestamp(Microsecond, Some("UTC"))')"""


def text(value: str) -> str:
    """SQL for a text."""
    return "'" + value.replace("'", "''") + "'"


def read_columns(files: Sequence[str], columns: Sequence[str]) -> pa.Table:
    """Columns of these files of a table, in the order of the files, without Spark."""
    return in_common_types(pa.dataset.dataset(list(files), format="parquet").to_table(columns=list(columns)))


def in_common_types(rows: pa.Table) -> pa.Table:
    """These rows without view types, in which delta-rs answers and writes: neither pandas nor Arrow compares them."""
    return rows.cast(pa.schema([field.with_type(_common_type(field.type)) for field in rows.schema]))


def _common_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(type_):
        return pa.string()
    if pa.types.is_binary_view(type_):
        return pa.binary()
    if pa.types.is_list(type_):
        return pa.list_(_common_type(type_.value_type))
    return type_
