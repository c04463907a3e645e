"""Named points within a batch, told by the files that are there and those that are not yet.

A process is stopped as soon as its files show the point, and killed when they still do once it stands still.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.system.faults.rig import Rig

BRONZE, SILVER = "bronze_transaction_events", "silver_transactions"
PER_MINUTE, CORRIDOR = "gold_transactions_per_minute", "gold_corridor_hourly"


@dataclass(frozen=True)
class Files:
    """How far each log on disk is."""

    ingest_at_work: bool
    gold_at_work: bool
    versions: dict[str, int]
    appending: bool
    checkpoint: int
    last_checkpoint: int

    def grew(self, table: str, before: "Files") -> bool:
        """Whether a table has a commit that it did not have before."""
        return self.versions[table] > before.versions[table]


def read_files(rig: Rig) -> Files:
    """The logs as they are now."""
    return Files(
        rig.is_at_work("ingest"),
        rig.is_at_work("gold"),
        {name: newest_version(rig.lake / name) for name in (BRONZE, SILVER, PER_MINUTE, CORRIDOR)},
        _has_files(rig.lake / "_appending" / BRONZE),
        _newest_checkpoint(rig.lake / BRONZE / "_delta_log"),
        _last_checkpoint(rig.lake / BRONZE / "_delta_log"),
    )


def _has_files(folder: Path) -> bool:
    """Whether Parquet files are in it; folders may go while it is looked through."""
    return any(name.endswith(".parquet") for _, _, names in os.walk(folder) for name in names)


def newest_version(table: Path) -> int:
    """Of a table's commits, -1 for none."""
    log = table / "_delta_log"
    names = os.listdir(log) if log.exists() else []
    return max((int(name[:20]) for name in names if name.endswith(".json") and name[:20].isdigit()), default=-1)


def _newest_checkpoint(log: Path) -> int:
    """Of those that are there, whole or half written."""
    names = os.listdir(log) if log.exists() else []
    return max((int(name[:20]) for name in names if ".checkpoint" in name and name[:20].isdigit()), default=-1)


def _last_checkpoint(log: Path) -> int:
    """The one that readers are told of."""
    try:
        return int(json.loads((log / "_last_checkpoint").read_text())["version"])
    except (OSError, ValueError):
        return -1


# Each compares the files now with those of the last moment between two batches.
POINTS: dict[str, Callable[[Files, Files], bool]] = {
    "offsets recorded, nothing written": lambda now, idle: now.ingest_at_work and not now.grew(BRONZE, idle),
    "files written, not committed": lambda now, idle: (
        now.ingest_at_work and now.appending and not now.grew(BRONZE, idle)
    ),
    "bronze committed, silver not": lambda now, idle: (
        now.ingest_at_work and now.grew(BRONZE, idle) and not now.grew(SILVER, idle)
    ),
    "silver committed, the batch not recorded": lambda now, idle: now.ingest_at_work and now.grew(SILVER, idle),
    "a checkpoint of bronze's log half done": lambda now, _: now.checkpoint > now.last_checkpoint,
    "gold at work, nothing merged": lambda now, idle: now.gold_at_work and not now.grew(PER_MINUTE, idle),
    "minutes merged, corridors not": lambda now, idle: (
        now.gold_at_work and now.grew(PER_MINUTE, idle) and not now.grew(CORRIDOR, idle)
    ),
    "gold merged, the batch not recorded": lambda now, idle: now.gold_at_work and now.grew(CORRIDOR, idle),
}


def kill_stream_at(rig: Rig, point: str, seconds: float = 60) -> None:
    """Kill the running stream when it has come to the point."""
    is_there = POINTS[point]
    idle = read_files(rig)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert rig.stream is not None and rig.stream.poll() is None, f"the stream ended by itself: see {rig.folder}"
        now = read_files(rig)
        if is_there(now, idle) and _stands_still_there(rig, is_there, idle):
            rig.kill_stream()
            return
        idle = _idle(now, idle)
    raise AssertionError(f"The stream did not come to the point '{point}' in {seconds:.0f} s: see {rig.folder}")


def _stands_still_there(rig: Rig, is_there: Callable[[Files, Files], bool], idle: Files) -> bool:
    rig.signal_stream(signal.SIGSTOP)
    if is_there(read_files(rig), idle):
        return True
    rig.signal_stream(signal.SIGCONT)
    return False


def _idle(now: Files, idle: Files) -> Files:
    """Versions of a query's tables count from its last moment without a batch."""
    fresh = dict(idle.versions)
    for at_work, tables in ((now.ingest_at_work, (BRONZE, SILVER)), (now.gold_at_work, (PER_MINUTE, CORRIDOR))):
        if not at_work:
            fresh |= {name: now.versions[name] for name in tables}
    return Files(now.ingest_at_work, now.gold_at_work, fresh, now.appending, now.checkpoint, now.last_checkpoint)
