"""Silver's rows as the rules see them, read from its files without Spark."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.alerts.movements import COLUMNS
from jobs.lake import Lake, read_columns
from schemas.tables import SILVER

# So many that they are read side by side, so few that their texts need little memory.
FILES_AT_ONCE = 200
Span = tuple[datetime, datetime]


def read_rows(files: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of these files, in parts."""
    for first in range(0, len(files), FILES_AT_ONCE):
        yield read_columns(files[first : first + FILES_AT_ONCE], COLUMNS)


def rows_between(lake: Lake, span: Span, version: int | None = None) -> Iterator[pa.Table]:
    """Silver's rows now, or at a version, of event times from the first to before the second, in parts."""
    first, end = span
    files = pa.table(DeltaTable(lake.table_path(SILVER), version=version).get_add_actions(flatten=True))
    if not files.num_rows:
        return
    lowest, highest = (pc.cast(files[f"{side}.event_time"], pa.timestamp("us", "UTC")) for side in ("min", "max"))
    is_within = pc.and_(pc.less(lowest, pa.scalar(end)), pc.greater_equal(highest, pa.scalar(first)))
    paths = files["path"].filter(pc.fill_null(is_within, True)).to_pylist()
    for rows in read_rows([str(Path(lake.table_path(SILVER)) / path) for path in sorted(paths)]):
        times = rows["event_time"]
        yield rows.filter(pc.and_(pc.greater_equal(times, pa.scalar(first)), pc.less(times, pa.scalar(end))))


def newest_event_time(lake: Lake, version: int | None = None) -> datetime | None:
    """Silver's newest event time, or that of a version; None without rows."""
    files = pa.table(DeltaTable(lake.table_path(SILVER), version=version).get_add_actions(flatten=True))
    newest: datetime | None = pc.max(files["max.event_time"]).as_py() if files.num_rows else None
    return newest
