"""Records of bronze that were kept for as long as they may be: what came as text goes, what was read of it stays.

Names and free text are in payloads alone. Amounts, times and parties have columns of their own, so `momo reconcile` and
`momo backfill` go on as before; a record that is open in quarantine cannot be tried again.
"""

import shutil
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from jobs import appending
from jobs.compaction import DataFile, Lock, data_files
from jobs.lake import Lake
from jobs.rewriting import rewrite, rows_with, with_values
from jobs.tokens import ERASED
from schemas.tables import BRONZE

# A file that grows old row by row is rewritten once a day, not with each maintenance.
_GRACE = timedelta(days=1)


@dataclass(frozen=True)
class RecordsBefore:
    """Takes the text out of rows that arrived before a moment, and says which rows had one."""

    moment: datetime
    columns = ("kafka_timestamp", "key", "payload", "payload_bytes")

    def __call__(self, rows: pa.Table) -> tuple[pa.Table, pa.Array]:
        """A record without a value stays one."""
        looked = ds.dataset(rows.select(self.columns)).to_table(columns={"is_due": is_due(self.moment)})
        due = pc.fill_null(looked["is_due"], False).combine_chunks()
        has_value = pc.or_(pc.is_valid(rows["payload"]), pc.is_valid(rows["payload_bytes"]))
        changed = {
            "key": pc.if_else(due, None, rows["key"]),
            "payload": pc.if_else(pc.and_(due, has_value), ERASED, rows["payload"]),
            "payload_bytes": pc.if_else(due, None, rows["payload_bytes"]),
        }
        return with_values(rows, changed), due


def is_due(before: datetime) -> ds.Expression:
    """Whether a row of bronze arrived before and has its text still; null counts as no."""
    texts = [ds.field("payload") != ERASED, ds.field("payload_bytes").is_valid(), ds.field("key").is_valid()]
    return (ds.field("kafka_timestamp") < before) & reduce(or_, texts)


def forget(lake: Lake, before: datetime, scratch: Path, lock: Lock, dry_run: bool) -> int:
    """Take the text of records that arrived before out of bronze, file by file; how many records had one.

    Needs the right to maintain the lake. The stream may run: a file that was replaced meanwhile waits for the next
    time. The files as they were go when maintenance deletes what was replaced.
    """
    folder, without = Path(lake.table_path(BRONZE)), RecordsBefore(before)
    forgotten = 0
    for file in _overdue(folder, before):
        due = rows_with(folder / file.path, without)
        if not dry_run:
            rewrite(folder / file.path, scratch / f"part-{uuid.uuid4()}.parquet", without)
            if not _swap(file, folder, scratch, lock):
                continue
        forgotten += due.num_rows if due else 0
    return forgotten


def _overdue(folder: Path, before: datetime) -> list[DataFile]:
    """Files all of whose texts are due, or one of them for a day. What the footers tell is not read."""

    def is_overdue(file: DataFile) -> bool:
        rows = ds.dataset(folder / file.path)
        if rows.count_rows(filter=is_due(before - _GRACE)):
            return True
        is_young = ds.field("kafka_timestamp") >= before
        return rows.count_rows(filter=is_due(before)) > 0 and not rows.count_rows(filter=is_young)

    return [file for file in data_files(DeltaTable(folder)) if is_overdue(file)]


def _swap(file: DataFile, folder: Path, scratch: Path, lock: Lock) -> bool:
    with lock():
        if file.path not in {there.path for there in data_files(DeltaTable(folder))}:
            shutil.rmtree(scratch)
            return False
        appending.swap_forgotten([file], BRONZE, folder, scratch)
    return True
