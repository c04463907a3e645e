"""Bring the tables' logs to a later commit within seconds, where the stream itself would take hours.

Each commit is a copy of the table's newest real one, with files of its own: as many are added, and for gold, whose
merges put one file in place of another, the ones before are taken away. The files are links to one of a single row, in
a day of its own where a table has days. Every `delta.checkpointInterval` commits delta-rs writes a checkpoint. All is
there and can be read; but it is marked as no change of data, as what a compaction writes is, so that the query that
follows silver passes over it.

The files of the logs are dated back, each commit a batch's time before the next, for maintenance goes by their age.

What it does not bring is rows: a gold table's day holds what the stream itself has put there.
"""

import json
import os
import time
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from jobs.lake import CHECKPOINT_INTERVAL, Lake
from jobs.retention import log_files, version_of
from schemas.tables import BRONZE, GOLD, SILVER, Table

FORWARDED = (BRONZE, SILVER, *GOLD)
# The first day there is; no transaction is that old.
DAY = date(1970, 1, 1)
# Of a topic of its own, so that what is read of the offsets reached stays as it is.
VALUES = {
    "topic": "fast-forward",
    "partition": 0,
    "offset": 0,
    "broken_rules": ["fast_forward"],
    # The one key of all, for the stream reads the keys of silver at a start.
    **dict.fromkeys(SILVER.key, "fast-forward"),
}

Action = dict[str, Any]


def fast_forward(lake: Lake, version: int, seconds_a_batch: int) -> None:
    """Bring the tables of a batch to this version; one that is past it stays. Nothing else may write meanwhile."""
    for table in FORWARDED:
        path = Path(lake.table_path(table))
        newest = DeltaTable(path).version()
        if newest < version:
            forward = _Forward(path, newest, _small_file(path, table))
            for number in range(newest + 1, version + 1):
                forward.commit(number)
            _date_back(path, version, seconds_a_batch)


class _Forward:
    """Commits to one table."""

    def __init__(self, path: Path, newest: int, small: Path) -> None:
        self._path, self._small, self._log = path, small, path / "_delta_log"
        lines = (self._log / f"{newest:020d}.json").read_text().splitlines()
        self._actions: list[Action] = [json.loads(line) for line in lines]
        # What Spark keeps beside its commits, to know the table's size without reading it; delta-rs has none.
        checksum = self._log / f"{newest:020d}.crc"
        self._checksum: Action = json.loads(checksum.read_text()) if checksum.exists() else {}
        # Spark leaves out both where they are missing or too large.
        for name in ("allFiles", "fileSizeHistogram"):
            self._checksum.pop(name, None)
        self._adds: list[Action] = []

    def commit(self, number: int) -> None:
        """The next commit, and a checkpoint where it is the turn of one."""
        now = time.time_ns() // 1_000_000
        merges, before, self._adds = any("remove" in action for action in self._actions), self._adds, []
        self._adds = [self._add(action["add"], number, now) for action in self._actions if "add" in action]
        removed = [_removal(add, now) for add in before] if merges else []
        info = [{"commitInfo": a["commitInfo"] | {"timestamp": now}} for a in self._actions if "commitInfo" in a]
        actions = [*info, *({"add": add} for add in self._adds), *({"remove": remove} for remove in removed)]
        (self._log / f"{number:020d}.json").write_text("".join(f"{json.dumps(action)}\n" for action in actions))
        if self._checksum:
            self._count(len(self._adds) - len(removed))
            (self._log / f"{number:020d}.crc").write_text(json.dumps(self._checksum))
        if number % int(CHECKPOINT_INTERVAL) == 0:
            DeltaTable(self._path).create_checkpoint()

    def _add(self, like: Action, number: int, now: int) -> Action:
        link = self._small.with_name(f"{number}-{Path(like['path']).name}")
        os.link(self._small, link)
        new = {
            "path": str(link.relative_to(self._path)),
            "partitionValues": dict.fromkeys(like["partitionValues"], DAY.isoformat()),
            "size": self._small.stat().st_size,
            "modificationTime": now,
            "dataChange": False,
            "stats": json.dumps(json.loads(like.get("stats", "{}")) | {"numRecords": 1}),
        }
        return like | new

    def _count(self, files: int) -> None:
        self._checksum["numFiles"] += files
        self._checksum["tableSizeBytes"] += files * self._small.stat().st_size


def _date_back(path: Path, newest: int, seconds_a_batch: int) -> None:
    now = time.time()
    for file in log_files(path):
        written = now - (newest - version_of(file)) * seconds_a_batch
        os.utime(file, (written, written))


def _removal(add: Action, now: int) -> Action:
    kept = {name: add[name] for name in ("path", "partitionValues", "size", "dataChange")}
    return kept | {"deletionTimestamp": now, "extendedFileMetadata": True}


def _small_file(path: Path, table: Table) -> Path:
    """One row, without the day, which is in the folder's name; one more file that no commit names as it is."""
    schema = pa.schema(DeltaTable(path).schema().to_arrow())
    fields = [field for field in schema if field.name not in table.partitioned_by]
    row = pa.table({field.name: pa.array([VALUES.get(field.name)], field.type) for field in fields})
    folder = path.joinpath(*(f"{name}={DAY.isoformat()}" for name in table.partitioned_by))
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(row, folder / "fast-forward.parquet")
    return folder / "fast-forward.parquet"
