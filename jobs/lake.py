"""The lake: a folder of Delta tables, and the only place that writes them.

Bronze, silver and quarantine are appended by Spark. Gold is merged by delta-rs, which takes a tenth of a second
where Spark's MERGE takes two; one engine then owns all writes of a table.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder, Schema
from deltalake.exceptions import TableNotFoundError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.errors import LakeLocked, SettingsError
from schemas.tables import CONFLICT_RULE, QUARANTINE, TABLES, Table

# Every tenth commit by default: a rewrite of the whole table's state, up to 1.6 s inside a batch.
CHECKPOINT_INTERVAL = "100"


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

    def create(self) -> None:
        """Make the tables that are not there; raise `SettingsError` when one has other columns than ours."""
        for table in TABLES:
            wanted = Schema.from_json(table.schema.json())
            existing = self.open(table)
            if existing is None:
                self._create(table, wanted)
            elif [(f.name, f.type) for f in existing.schema().fields] != [(f.name, f.type) for f in wanted.fields]:
                raise SettingsError(
                    f"The table {self.table_path(table)} has other columns than this version writes: "
                    "choose another --lake, or move the old one away and rebuild it."
                )

    def _create(self, table: Table, schema: Schema) -> None:
        # Names alone of what readers skip by: min and max of other columns would put phone numbers into the log.
        configuration = {"delta.checkpointInterval": CHECKPOINT_INTERVAL}
        if table.ordinal:
            configuration["delta.dataSkippingStatsColumns"] = ",".join(table.ordinal)
        DeltaTable.create(
            self.table_path(table),
            schema,
            name=table.name,
            description=table.grain,
            partition_by=list(table.partitioned_by),
            configuration=configuration,
        )

    def open(self, table: Table) -> DeltaTable | None:
        """The table as delta-rs sees it now; None when it does not exist."""
        try:
            return DeltaTable(self.table_path(table))
        except TableNotFoundError:
            return None

    def read(self, spark: SparkSession, table: Table) -> DataFrame:
        """The table as Spark sees it now."""
        return spark.read.format("delta").load(self.table_path(table))

    def newest_rows(self, spark: SparkSession, table: Table) -> DataFrame:
        """The rows of the newest append, read from its files alone, for who has just written them."""
        log = max((self.path / table.name / "_delta_log").glob("*.json"))
        actions = map(json.loads, log.read_text().splitlines())
        files = [f"{self.table_path(table)}/{action['add']['path']}" for action in actions if "add" in action]
        return spark.read.schema(table.schema).parquet(*files)

    def stream(self, spark: SparkSession, table: Table) -> DataFrame:
        """The table's appends as a stream."""
        return spark.readStream.format("delta").load(self.table_path(table))

    def append(self, rows: DataFrame, table: Table) -> None:
        """Append in one commit."""
        rows.write.format("delta").mode("append").save(self.table_path(table))

    def append_onward(self, rows: DataFrame, table: Table) -> None:
        """Append the rows after the offsets the table has reached: safe for a batch that may have been written before.

        A batch can be repeated only by a restart, so this is for the first batch after a start; Delta's own check
        would rebuild the table's state in every batch. It needs a table that a stream fills in the order of offsets.
        """
        # Conflicts are added by `momo reconcile`, wherever they are.
        in_order = f"WHERE NOT array_has(broken_rules, '{CONFLICT_RULE}')" if table is QUARANTINE else ""
        reached = f'SELECT topic, "partition", max("offset") AS last FROM {table.name} {in_order} GROUP BY 1, 2'
        for row in self.query(reached).to_pylist():
            same_partition = (F.col("topic") == row["topic"]) & (F.col("partition") == row["partition"])
            rows = rows.filter(~(same_partition & (F.col("offset") <= row["last"])))
        self.append(rows, table)

    def merge_windows(self, table: Table, windows: pa.Table) -> None:
        """Put windows in place of those with the same key; one that says the same already stays untouched.

        `windows` has the table's columns and `is_correction`: then the window gets the next revision.
        """
        gold = DeltaTable(self.table_path(table))
        state = {"is_final", "revision", "corrected_at", "window_date"}
        measures = [name for name in table.column_names if name not in state and name not in table.key]
        differs = " OR ".join(f"(source.{name} IS DISTINCT FROM target.{name})" for name in measures)
        values = {name: f"source.{name}" for name in table.column_names}
        corrected = {
            "revision": "CASE WHEN source.is_correction THEN target.revision + 1 ELSE target.revision END",
            "corrected_at": "CASE WHEN source.is_correction THEN source.corrected_at ELSE target.corrected_at END",
        }
        (
            gold.merge(windows, self._same_window(table, windows), source_alias="source", target_alias="target")
            .when_matched_update(predicate=differs, updates=values | corrected)
            .when_not_matched_insert(updates=values)
            .execute()
        )

    def _same_window(self, table: Table, windows: pa.Table) -> str:
        """The merge condition; days and times spelt out let delta-rs leave all other partitions and files alone."""
        starts = windows.column("window_start")
        first, last = (end.as_py().isoformat() for end in (pc.min(starts), pc.max(starts)))
        in_time = f"target.window_start >= TIMESTAMP '{first}' AND target.window_start <= TIMESTAMP '{last}'"
        days = sorted({day.isoformat() for day in windows.column("window_date").to_pylist()})
        in_days = " OR ".join(f"target.window_date = '{day}'" for day in days)
        return " AND ".join([f"({in_days})", in_time, *(f"target.{name} = source.{name}" for name in table.key)])

    def close_windows(self, table: Table, closed_before: Any) -> None:
        """Mark the windows that end by this time as final."""
        instant = closed_before.isoformat()
        DeltaTable(self.table_path(table)).update(
            updates={"is_final": "true"}, predicate=f"NOT is_final AND window_end <= TIMESTAMP '{instant}'"
        )

    def query(self, sql: str) -> pa.Table:
        """The answer to a SQL query over the tables, by their names, without Spark."""
        builder = QueryBuilder()
        for folder in sorted(self.path.glob("*/_delta_log")):
            builder.register(folder.parent.name, DeltaTable(str(folder.parent)))
        answer = pa.table(builder.execute(sql).read_all())
        return answer.cast(pa.schema([field.with_type(_common_type(field.type)) for field in answer.schema]))

    def value(self, sql: str) -> Any:
        """The single value a SQL query gives."""
        return self.query(sql).column(0)[0].as_py()

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


def _common_type(type_: pa.DataType) -> pa.DataType:
    """delta-rs answers with view types, which pandas does not know."""
    if pa.types.is_string_view(type_):
        return pa.string()
    if pa.types.is_binary_view(type_):
        return pa.binary()
    if pa.types.is_list(type_):
        return pa.list_(_common_type(type_.value_type))
    return type_
