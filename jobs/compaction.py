"""Compaction: the small files of a partition become one, while the stream goes on.

The rows are rewritten beside the table, in one of its own made of hard links. Only the swap, a commit that changes no
data, needs the table's lock; streams over the table pass over it.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, WriterProperties
from deltalake.transaction import AddAction, RemoveAction

from jobs.checksums import write_checksum
from jobs.errors import PlatformError

# A checkpoint is written when its time has come in maintenance, not whenever a number is reached.
NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
SWAP = CommitProperties(custom_metadata={"userMetadata": "momo maintain: small files joined"})


Lock = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class DataFile:
    """A file of a table; its partition as column and text pairs, its time in milliseconds, its size in bytes."""

    path: str
    size: int
    rows: int
    modified: int
    partition: tuple[tuple[str, str | None], ...]


def data_files(table: DeltaTable) -> list[DataFile]:
    """The files that are the table now."""
    return [
        DataFile(
            path=row["path"],
            size=row["size_bytes"],
            rows=row["num_records"],
            modified=row["modification_time"],
            partition=_texts(row.get("partition") or {}),
        )
        for row in pa.table(table.get_add_actions()).to_pylist()
    ]


def pieces(files: Iterable[DataFile], target_bytes: int) -> list[list[DataFile]]:
    """Small files to join, in the order of their age: of one partition, together no larger than the target."""
    small = [file for file in files if file.size < target_bytes / 2]
    by_partition = groupby(sorted(small, key=lambda f: (str(f.partition), f.modified)), lambda f: f.partition)
    groups: list[list[DataFile]] = []
    for _, of_partition in by_partition:
        room = 0
        for file in of_partition:
            if file.size > room:
                groups.append([])
                room = target_bytes
            groups[-1].append(file)
            room -= file.size
    return [group for group in groups if len(group) > 1]


def join(folder: Path, piece: list[DataFile], target_bytes: int, scratch: Path, lock: Lock) -> bool:
    """Put one file in place of a piece; false, and nothing done, when a merge has replaced one of its files since.

    Raises `PlatformError` when the rewriting would lose or double rows.
    """
    table = DeltaTable(folder)
    with _beside(table, folder, piece, scratch) as copy:
        copy.optimize.compact(
            target_size=target_bytes,
            max_concurrent_tasks=1,
            writer_properties=WriterProperties(compression="ZSTD"),
            post_commithook_properties=NO_HOOKS,
        )
        _refuse_other_rows(piece, data_files(copy))
        with lock():
            table.update_incremental()
            if not {file.path for file in piece} <= {file.path for file in data_files(table)}:
                return False
            _swap(table, folder, scratch)
    return True


def _refuse_other_rows(piece: list[DataFile], written: list[DataFile]) -> None:
    rows, expected = sum(file.rows for file in written), sum(file.rows for file in piece)
    if rows != expected or {file.path for file in written} & {file.path for file in piece}:
        raise PlatformError(
            f"Joining {len(piece)} files of {expected:,} rows, the first {piece[0].path}, gave {rows:,} rows: "
            "the table was left as it is; report this with the versions of deltalake and Delta."
        )


@contextmanager
def _beside(table: DeltaTable, folder: Path, piece: list[DataFile], scratch: Path) -> Iterator[DeltaTable]:
    """A table of the piece's files alone, gone afterwards."""
    metadata = table.metadata()
    copy = DeltaTable.create(
        scratch, table.schema(), partition_by=metadata.partition_columns, configuration=metadata.configuration
    )
    try:
        for file in piece:
            (scratch / file.path).parent.mkdir(parents=True, exist_ok=True)
            os.link(folder / file.path, scratch / file.path)
        adds: list[AddAction | RemoveAction]
        adds = [AddAction(f.path, f.size, dict(f.partition), f.modified, True, "{}") for f in piece]
        copy.create_write_transaction(adds, "append", table.schema(), metadata.partition_columns)
        yield DeltaTable(scratch)
    finally:
        shutil.rmtree(scratch)


def _swap(table: DeltaTable, folder: Path, scratch: Path) -> None:
    """Commit to the table what was done beside it."""
    swap: list[AddAction | RemoveAction] = []
    for action in _newest_actions(scratch):
        if add := action.get("add"):
            os.rename(scratch / add["path"], folder / add["path"])
            values, modified = add["partitionValues"], add["modificationTime"]
            swap.append(AddAction(add["path"], add["size"], values, modified, False, add["stats"]))
        elif gone := action.get("remove"):
            swap.append(
                RemoveAction(
                    path=gone["path"],
                    size=gone["size"],
                    partition_values=gone["partitionValues"],
                    deletion_timestamp=gone["deletionTimestamp"],
                    data_change=False,
                )
            )
    table.create_write_transaction(
        swap,
        "append",
        table.schema(),
        table.metadata().partition_columns,
        commit_properties=SWAP,
        post_commithook_properties=NO_HOOKS,
    )
    write_checksum(folder)


def _newest_actions(folder: Path) -> list[dict[str, Any]]:
    newest = max((folder / "_delta_log").glob("*.json"))
    return [json.loads(line) for line in newest.read_text().splitlines()]


def _texts(partition: dict[str, Any]) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, None if value is None else str(value)) for name, value in partition.items())
