"""When each version of a Delta table could first be seen, and what its rows are: a reader independent of the writer."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.bench.figures import Floats, Integers
from jobs.errors import DataCheckFailed

LOOK_SECONDS = 0.05
# B<10 digits>-<16 digits>: where the due time begins and ends in a reference.
_DUE = (12, 28)


@dataclass
class Watched:
    """A table that is watched: its folder, and the wall time at which each version was first seen, from 0 on.

    `column` holds the reference, `reference_at` characters after its beginning; for gold, the count of events.
    """

    path: Path
    column: str
    reference_at: int = 0
    seen: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Note the versions that have come since the last look."""
        while (self.path / "_delta_log" / f"{len(self.seen):020d}.json").exists():
            self.seen.append(time.time())


@dataclass
class WatchedNote:
    """A note of how far a reader of a table has come, of Spark's form: when it first stood behind each version."""

    path: Path
    seen: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Note the versions that the reader has done since the last look."""
        with suppress(OSError):
            position = json.loads(self.path.read_text().splitlines()[1])
            newly_done = position["reservoirVersion"] - len(self.seen)
            self.seen += [time.time()] * newly_done


class Watch:
    """Looks at tables every 50 ms on a thread of its own, so that a version's time is late by that much at most."""

    def __init__(self, tables: Sequence[Watched | WatchedNote]) -> None:
        """Begin to look."""
        self._tables, self._stop = tables, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            for table in self._tables:
                table.look()


@dataclass(frozen=True)
class Rows:
    """The rows of a table: due time and first sight of each, seconds of the epoch, and where each version ends."""

    due: Floats
    seen: Floats
    ends: Integers


def rows_by_version(table: Watched) -> Rows:
    """The rows in the order of the versions that added them; a rewrite that adds no data adds no rows."""
    due, counts = [], []
    for version in range(len(table.seen)):
        added = [_due_times(table, add["path"]) for add, _ in _actions(table, version, "add") if add["dataChange"]]
        due.append(np.concatenate(added) if added else np.empty(0))
        counts.append(len(due[-1]))
    ends = np.cumsum(counts, dtype=np.int64)
    return Rows(np.concatenate([np.empty(0), *due]), np.repeat(table.seen[: len(counts)], counts), ends)


def totals_by_version(table: Watched) -> Integers:
    """The sum of the count column over the table as it was at each version."""
    total, totals = 0, []
    counted: dict[str, int] = {}
    for version in range(len(table.seen)):
        for action, is_added in [*_actions(table, version, "add"), *_actions(table, version, "remove")]:
            path = action["path"]
            if action.get("deletionVector"):
                raise DataCheckFailed(f"{table.path} has deletion vectors, which this reader does not know.")
            if path not in counted:
                column = _read(table, path)
                counted[path] = int(pc.sum(column).as_py() or 0)
            total += counted[path] if is_added else -counted[path]
        totals.append(total)
    return np.array(totals, dtype=np.int64)


def rows_seen_by(rows: Rows, seen: Sequence[float], times: Sequence[float]) -> Integers:
    """How many rows could be seen at each of the times; `seen` is the first sight of each version."""
    versions = np.searchsorted(np.asarray(seen), np.asarray(times), side="right")
    return np.concatenate([[0], rows.ends])[versions].astype(np.int64)


def _actions(table: Watched, version: int, kind: str) -> Iterator[tuple[dict[str, Any], bool]]:
    """The version's actions of a kind, `add` or `remove`, and whether it is the first."""
    for line in (table.path / "_delta_log" / f"{version:020d}.json").read_text().splitlines():
        if action := json.loads(line).get(kind):
            yield action, kind == "add"


def _due_times(table: Watched, path: str) -> Floats:
    begin, end = (place + table.reference_at for place in _DUE)
    micros = pc.utf8_slice_codeunits(_read(table, path), begin, end).cast("int64").to_numpy()
    return np.asarray(micros / 1_000_000, dtype=np.float64)


def _read(table: Watched, path: str) -> Any:
    return pq.ParquetFile(table.path / unquote(path)).read(columns=[table.column])[table.column]
