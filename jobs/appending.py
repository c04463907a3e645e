"""Append rows to a table: the files by Spark, the commit by delta-rs.

Spark's own commit takes 0.3 s of planning and book-keeping whatever it holds, one of delta-rs some milliseconds.
"""

import json
import os
import shutil
import time
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction, RemoveAction
from pyspark.sql import DataFrame

from jobs.checksums import write_checksum
from jobs.compaction import DataFile, data_files
from jobs.errors import PlatformError
from schemas.tables import Table

# By which a commit is known; nothing waited to be carried on when it was made.
ERASURE = "momo erase: persons taken out"
FORGETTING = "momo maintain: records forgotten"


def append(rows: DataFrame, table: Table, folder: Path, scratch: Path) -> list[str]:
    """Append to the table in this folder in one commit; the files it added, none, and no commit, without rows.

    Who calls it holds the table: the rows are written to `scratch`, of the same disk, and moved when they are whole.
    """
    _refuse_other_columns(rows, table)
    make_scratch(scratch)
    rows.write.partitionBy(*table.partitioned_by).parquet(str(scratch))
    adds = _moved_in(table, folder, scratch)
    if adds:
        _commit(folder, adds)
    return [str(folder / add.path) for add in adds]


def replace_day(rows: DataFrame, day: date, table: Table, folder: Path, scratch: Path) -> None:
    """Put rows of a day in place of those the table has, in one commit; the day is all that partitions the table.

    Who calls it holds the table.
    """
    _refuse_other_columns(rows, table)
    make_scratch(scratch)
    rows.write.partitionBy(*table.partitioned_by).parquet(str(scratch))
    of_day = [file for file in data_files(DeltaTable(folder)) if [text for _, text in file.partition] == [str(day)]]
    _commit(folder, [*_moved_in(table, folder, scratch), *_removes(of_day)])


def swap_erased(files: Sequence[DataFile], table: Table, folder: Path, scratch: Path) -> None:
    """Put files in `scratch`, without the persons, in place of these, in one commit. Who calls it holds the table."""
    _commit(
        folder,
        [*_moved_in(table, folder, scratch), *_removes(files)],
        CommitProperties(custom_metadata={"userMetadata": ERASURE}),
    )


def swap_forgotten(files: Sequence[DataFile], table: Table, folder: Path, scratch: Path) -> None:
    """Put files in `scratch`, the same rows with less in them, in place of these, as `swap_erased` does.

    For streams no data changes: something may wait to be carried on, and they look for that in the commits before.
    """
    adds = _moved_in(table, folder, scratch)
    moved = [
        AddAction(add.path, add.size, add.partition_values, add.modification_time, False, add.stats) for add in adds
    ]
    actions: list[AddAction | RemoveAction] = [*moved, *_removes(files, data_change=False)]
    _commit(folder, actions, CommitProperties(custom_metadata={"userMetadata": FORGETTING}))


def _removes(files: Sequence[DataFile], data_change: bool = True) -> list[RemoveAction]:
    now = time.time_ns() // 1_000_000
    return [
        RemoveAction(
            path=file.path,
            size=file.size,
            partition_values=dict(file.partition),
            deletion_timestamp=now,
            data_change=data_change,
        )
        for file in files
    ]


def is_erasure(commit: Path) -> bool:
    """Whether this commit of a table's log took persons out."""
    infos = (json.loads(line).get("commitInfo") or {} for line in commit.read_text().splitlines())
    return any(info.get("userMetadata") == ERASURE for info in infos)


def make_scratch(scratch: Path) -> None:
    """An empty folder for files that are not whole yet, bronze's too: for nobody but the owner."""
    scratch.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(scratch, ignore_errors=True)


def _moved_in(table: Table, folder: Path, scratch: Path) -> list[AddAction]:
    """Move whole files with rows from `scratch` to the table's folder; their entries for the log."""
    written = sorted(path.relative_to(scratch) for path in scratch.rglob("*.parquet"))
    adds = [add for path in written if (add := _add_action(scratch / path, path, table)) is not None]
    for add in adds:
        (folder / add.path).parent.mkdir(exist_ok=True)
        os.rename(scratch / add.path, folder / add.path)
    shutil.rmtree(scratch)
    return adds


def _refuse_other_columns(rows: DataFrame, table: Table) -> None:
    """Nobody checks them after us: files of another shape would make the table unreadable."""
    given = [(field.name, field.dataType) for field in rows.schema.fields]
    if given != [(column.name, column.type) for column in table.columns]:
        raise PlatformError(f"Rows of other columns than those of {table.name} were to be written: {given}.")


def _commit(
    folder: Path, actions: Sequence[AddAction | RemoveAction], properties: CommitProperties | None = None
) -> None:
    delta = DeltaTable(folder)
    partitions = delta.metadata().partition_columns
    delta.create_write_transaction(list(actions), "append", delta.schema(), partitions, commit_properties=properties)
    write_checksum(folder)


def _add_action(file: Path, path: Path, table: Table) -> AddAction | None:
    """The log's entry of a file, None for one without rows."""
    metadata = pq.read_metadata(file)
    if not metadata.num_rows:
        return None
    state = file.stat()
    days = dict(unquote(part).split("=", 1) for part in path.parts[:-1])
    stats = json.dumps(_statistics(metadata, table))
    return AddAction(str(path), state.st_size, days, state.st_mtime_ns // 1_000_000, True, stats)


def _statistics(metadata: Any, table: Table) -> dict[str, Any]:
    """What readers skip files by: of the ordinal columns alone, for the log outlives the rows."""
    stats: dict[str, Any] = {"numRecords": metadata.num_rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    places = {groups[0].column(i).path_in_schema: i for i in range(groups[0].num_columns)}
    for name in table.ordinal:
        columns = [group.column(places[name]).statistics for group in groups]
        stats["nullCount"][name] = sum(column.null_count for column in columns)
        known = [column for column in columns if column.has_min_max]
        if known:
            stats["minValues"][name] = _text(min(column.min for column in known))
            stats["maxValues"][name] = _text(max(column.max for column in known))
    return stats


def _text(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value
