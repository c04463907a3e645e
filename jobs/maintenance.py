"""Maintenance of a table beside the running stream: join small files, delete replaced ones, shorten the log."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table as Grid

from jobs import compaction, retention
from jobs.errors import SettingsError
from jobs.forgetting import forget
from jobs.lake import Lake
from jobs.settings import MaintainSettings
from schemas.tables import BRONZE, LEARNED, TABLES, Table

_HOUR = 3600
_FORGET_FILES = "delta.deletedFileRetentionDuration"


@dataclass
class Upkeep:
    """What was done to a table, or would be; times in seconds, `kept` says what waits for a stream and why."""

    table: str
    files_before: int = 0
    files_after: int = 0
    log_files_before: int = 0
    log_files_after: int = 0
    files_deleted: int = 0
    bytes_freed: int = 0
    seconds: float = 0.0
    longest_hold: float = 0.0
    records_forgotten: int = 0
    kept: str = ""


def tables_to_maintain(lake: Lake, names: str | None) -> list[Table]:
    """The tables of a comma-separated list, all that exist for None; raises `SettingsError` for any other."""
    existing = {table.name: table for table in (*TABLES, *LEARNED) if lake.open(table) is not None}
    if not existing:
        raise SettingsError(f"There are no tables in {lake.path}: run `momo stream` first, or name another --lake.")
    wanted = list(existing) if names is None else list(dict.fromkeys(names.split(",")))
    unknown = [name for name in wanted if name not in existing]
    if unknown:
        raise SettingsError(
            f"--tables names '{unknown[0]}', which is no table here: choose from {', '.join(existing)}."
        )
    return [existing[name] for name in wanted]


@contextmanager
def maintaining(lake: Lake) -> Iterator[None]:
    """Hold the right to maintain the lake; raise `LakeLocked` when another process does. A stream may run beside it."""
    with lake.alone("maintenance", "maintained"):
        # What a killed maintenance has left.
        shutil.rmtree(_scratch(lake), ignore_errors=True)
        _scratch(lake).mkdir(mode=0o700)
        yield


def maintain(lake: Lake, table: Table, limits: MaintainSettings, dry_run: bool = False) -> Upkeep:
    """Do what is due on a table, or only say what it is. Needs the right to maintain the lake."""
    return _Maintenance(lake, table, limits, dry_run).run()


def _scratch(lake: Lake) -> Path:
    return lake.path / "_maintenance"


class _Maintenance:
    """One table, once."""

    def __init__(self, lake: Lake, table: Table, limits: MaintainSettings, dry_run: bool) -> None:
        self._lake, self._table, self._limits, self._dry_run = lake, table, limits, dry_run
        self._folder = Path(lake.table_path(table))
        self._delta = DeltaTable(self._folder)
        self._readers = retention.readers(Path(lake.checkpoint_path("")), str(self._delta.metadata().id))
        self._newest_append, _ = lake.newest_append(table)
        self._oldest_needed = retention.oldest_needed(self._readers, self._newest_append)
        self._done = Upkeep(table.name)

    def run(self) -> Upkeep:
        started = time.perf_counter()
        self._forget_records()
        self._join_small_files()
        if not self._dry_run:
            self._checkpoint()
        kept_files, kept_log = self._delete_files(), self._shorten_log()
        if self._readers and kept_files + kept_log:
            self._done.kept = self._reason(kept_files, kept_log)
        self._done.seconds = round(time.perf_counter() - started, 3)
        return self._done

    def _forget_records(self) -> None:
        """What bronze has as text, once it is as old as it may be; its columns stay."""
        days = self._limits.payload_retention_days
        if self._table == BRONZE and days:
            before = datetime.now(UTC) - timedelta(days=days)
            scratch = _scratch(self._lake) / "forgetting"
            self._done.records_forgotten = forget(self._lake, before, scratch, self._lock, self._dry_run)
            self._delta = DeltaTable(self._folder)

    def _join_small_files(self) -> None:
        """Piece by piece; a piece of which a merge of the stream has replaced a file waits for the next time."""
        target = self._limits.target_file_mb * 1_000_000
        scratch = _scratch(self._lake) / self._table.name
        files = compaction.data_files(self._delta)
        due = compaction.pieces(files, target)
        self._done.files_before = len(files)
        self._done.files_after = len(files) - sum(len(piece) - 1 for piece in due)
        if not self._dry_run:
            for piece in due:
                compaction.join(self._folder, piece, target, scratch, self._lock)
            self._delta = DeltaTable(self._folder)
            self._done.files_after = len(compaction.data_files(self._delta))

    def _checkpoint(self) -> None:
        """A checkpoint of now: quicker to open, and where a later maintenance can cut the log."""
        remember = f"interval {self._limits.vacuum_retention_hours} hours"
        with self._lock():
            self._delta = DeltaTable(self._folder)
            if self._delta.metadata().configuration.get(_FORGET_FILES) != remember:
                # By default each replaced file is carried through all checkpoints for a week.
                self._delta.alter.set_table_properties({_FORGET_FILES: remember})
            name = f"{self._delta.version():020d}.checkpoint.parquet"
            if not (self._folder / "_delta_log" / name).exists():
                # Spark's checksums of files that delta-rs writes anew: with the old ones Spark would refuse to read.
                for stale in (f".{name}.crc", "._last_checkpoint.crc"):
                    (self._folder / "_delta_log" / stale).unlink(missing_ok=True)
                self._delta.create_checkpoint()

    def _delete_files(self) -> int:
        """Delete replaced files; how many stay because a stream has still to read them."""
        with self._lock():
            # Nobody is writing now, so a file that no commit names is of a writer that was killed.
            self._delta = DeltaTable(self._folder)
            replaced = retention.replaced_files(self._delta, self._limits.vacuum_retention_hours)
        needed = retention.needed_files(self._folder, self._readers, self._oldest_needed)
        paths = [self._folder / path for path in replaced if path not in needed]
        checksums = [path.with_name(f".{path.name}.crc") for path in paths]
        self._delete([*paths, *(path for path in checksums if path.exists())])
        return sum(path in needed for path in replaced)

    def _shorten_log(self) -> int:
        """Delete commits behind a checkpoint; how many files stay because a stream has still to read some of them."""
        files = retention.log_files(self._folder)
        before = time.time() - self._limits.log_retention_hours * _HOUR
        expired = retention.expired_log_files(files, self._oldest_needed, before)
        without_streams = retention.expired_log_files(files, self._newest_append, before)
        self._delete(expired)
        self._done.log_files_before = len(files)
        self._done.log_files_after = len(files) - len(expired)
        return len(without_streams) - len(expired)

    def _delete(self, paths: Sequence[Path]) -> None:
        for path in paths:
            self._done.bytes_freed += path.stat().st_size
            self._done.files_deleted += 1
            if not self._dry_run:
                path.unlink()

    def _reason(self, files: int, log_files: int) -> str:
        slowest = min(self._readers, key=lambda reader: reader.version)
        return (
            f"{slowest.query} goes on from version {slowest.version:,} of {self._delta.version():,}: "
            f"{files:,} files and {log_files:,} of the log are kept for it"
        )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with self._lake.writing(self._table):
            taken = time.perf_counter()
            yield
            held = round(time.perf_counter() - taken, 3)
        self._done.longest_hold = max(self._done.longest_hold, held)


def summary(done: Sequence[Upkeep], dry_run: bool) -> None:
    """Print what was done, a line per table."""
    console = Console()
    grid = Grid("table", "files", "log files", "deleted", "MB freed", "seconds", "longest hold", box=None)
    grid.columns[0].no_wrap = True
    for table in done:
        grid.add_row(
            table.table,
            f"{table.files_before:,} → {table.files_after:,}",
            f"{table.log_files_before:,} → {table.log_files_after:,}",
            f"{table.files_deleted:,}",
            f"{table.bytes_freed / 1e6:,.1f}",
            f"{table.seconds:.2f}",
            f"{table.longest_hold:.3f}",
        )
    console.print(grid)
    for table in done:
        if table.records_forgotten:
            console.print(f"{table.table}: the text of {table.records_forgotten:,} records was kept long enough")
        if table.kept:
            console.print(f"{table.table}: {table.kept}")
    if dry_run:
        console.print("dry run: this is due, nothing was done")
