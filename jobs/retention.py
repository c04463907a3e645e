"""What a table no longer needs: replaced files, and commits behind a checkpoint of the log.

A stream over a table goes on from a commit, so that commit, the one before it and their files stay until it is past
them, whatever their age. So does the newest append, which the pipeline reads again after a stop.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from jobs.compaction import data_files

_VERSION = re.compile(r"\.?(\d{20})\.")


@dataclass(frozen=True)
class Reader:
    """A streaming query over a table, and the version it would go on from after a stop."""

    query: str
    version: int
    # It has not finished reading the table as it was at its first version.
    is_starting: bool


def readers(checkpoints: Path, table_id: str) -> list[Reader]:
    """The queries whose checkpoints say that they read this table."""
    found = []
    for folder in sorted(checkpoints.glob("*/offsets")):
        done = max(_batches(folder.parent / "commits"), default=-1)
        # After a stop Spark asks for the rows of the last finished batch once more, from where the one before it ended.
        needed = [batch for batch in _batches(folder) if batch >= done - 1]
        offsets = [offset for batch in needed for offset in _offsets(folder / str(batch), table_id)]
        if offsets:
            version = min(offset["reservoirVersion"] for offset in offsets)
            is_starting = any(offset["isStartingVersion"] for offset in offsets)
            found.append(Reader(folder.parent.name, version, is_starting))
    return found


def version_done(checkpoints: Path, query: str, table_id: str) -> int:
    """The newest version of this table that a query has carried for good, and all before it; -1 when there is none."""
    done = max(_batches(checkpoints / query / "commits"), default=-1)
    if done < 0:
        return -1
    offsets = _offsets(checkpoints / query / "offsets" / str(done), table_id)
    return min(
        (-1 if offset["isStartingVersion"] else offset["reservoirVersion"] - 1 for offset in offsets), default=-1
    )


def unfinished(checkpoints: Path) -> list[str]:
    """The queries that have planned a batch and not finished it: their next start carries it again."""
    folders = sorted(folder.parent for folder in checkpoints.glob("*/offsets"))
    newest = {path.name: [max(_batches(path / log), default=-1) for log in ("offsets", "commits")] for path in folders}
    return [query for query, (planned, finished) in newest.items() if planned > finished]


def oldest_needed(readers: Iterable[Reader], newest_append: int) -> int:
    """The oldest version of which everything stays; Delta looks at the one before where a stream goes on."""
    return min([newest_append, *(reader.version - 1 for reader in readers)])


def needed_files(folder: Path, readers: Iterable[Reader], oldest: int) -> set[str]:
    """The files, active or replaced, of commits from this version on, and of the table where it is being read whole."""
    needed: set[str] = set()
    for log in (folder / "_delta_log").glob("*.json"):
        if int(log.stem) >= oldest:
            actions = map(json.loads, log.read_text().splitlines())
            needed |= {action["add"]["path"] for action in actions if "add" in action}
    for reader in readers:
        if reader.is_starting:
            whole = DeltaTable(folder, version=reader.version)
            needed |= {file.path for file in data_files(whole)}
    return needed


def replaced_files(table: DeltaTable, hours: int) -> list[str]:
    """The files that no version of the last hours holds, those of writers that were killed included."""
    unused = table.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
    # Spark's hidden checksum files are in no log: each goes with its file.
    return [path for path in unused if path.endswith(".parquet")]


def log_files(folder: Path) -> list[Path]:
    """All files of a table's log, checkpoints and checksums included."""
    return [path for path in (folder / "_delta_log").iterdir() if path.is_file()]


def expired_log_files(files: Iterable[Path], oldest: int, before: float) -> list[Path]:
    """The files behind the newest checkpoint that is older than a time (s since 1970) and than what is needed."""
    files = list(files)
    old = [
        version_of(path)
        for path in files
        if path.name.endswith(".checkpoint.parquet") and version_of(path) <= oldest and path.stat().st_mtime < before
    ]
    # The oldest first, so that what a kill leaves is a log without its beginning, never one with a hole.
    return sorted((path for path in files if 0 <= version_of(path) < max(old, default=0)), key=version_of)


def version_of(path: Path) -> int:
    """The version a file of the log belongs to, -1 for none."""
    found = _VERSION.match(path.name)
    return int(found.group(1)) if found else -1


def _batches(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()]


def _offsets(file: Path, table_id: str) -> list[dict[str, int]]:
    """The positions in this table that a batch of a query ends at."""
    lines = [line for line in file.read_text().splitlines() if line.startswith("{")]
    return [offset for offset in map(json.loads, lines) if offset.get("reservoirId") == table_id]
