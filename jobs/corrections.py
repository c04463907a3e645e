"""Correct rows that are there: what is wrong is set right or taken away, in one commit of delta-rs.

Streams over a table pass over such a commit whole, whatever it adds.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, WriterProperties
from deltalake.table import TableMerger

from jobs.checksums import write_checksum
from jobs.compaction import NO_HOOKS
from jobs.lake import Lake, same_window
from schemas.tables import Table

PLACE = ("topic", "partition", "offset")


def correct_windows(lake: Lake, table: Table, changes: pa.Table) -> None:
    """Put windows in place of those with the same key, add those that are new, take those away that are gone.

    `changes` has the table's columns and `is_gone`. A window that is put in place gets the next revision.
    """
    values = {name: f"source.{name}" for name in table.column_names}
    with lake.writing(table):
        (
            DeltaTable(lake.table_path(table))
            .merge(changes, same_window(table, changes), source_alias="source", target_alias="target")
            .when_matched_delete(predicate="source.is_gone")
            .when_matched_update(predicate="NOT source.is_gone", updates=values | {"revision": "target.revision + 1"})
            .when_not_matched_insert(predicate="NOT source.is_gone", updates=values)
            .execute()
        )


def correct_rows(lake: Lake, table: Table, rows: pa.Table, columns: Sequence[str]) -> None:
    """Set these columns of the rows at these places in Kafka; one that the table does not have is passed over."""
    if rows.num_rows:
        values = {f'"{name}"': f'source."{name}"' for name in columns}
        with lake.writing(table):
            _commit(_at_places(lake, table, rows).when_matched_update(values), lake.table_path(table))


def remove_rows(lake: Lake, table: Table, rows: pa.Table) -> None:
    """Take away the rows at these places in Kafka; one that the table does not have is passed over."""
    if rows.num_rows:
        with lake.writing(table):
            _commit(_at_places(lake, table, rows.select(PLACE)).when_matched_delete(), lake.table_path(table))


def _at_places(lake: Lake, table: Table, rows: pa.Table) -> TableMerger:
    first, last = (end(rows["offset"]).as_py() for end in (pc.min, pc.max))
    # Offsets are in the log's statistics: files of other offsets are left alone.
    in_range = f'target."offset" >= {first} AND target."offset" <= {last}'
    same = [f'target."{name}" = source."{name}"' for name in PLACE]
    return DeltaTable(lake.table_path(table)).merge(
        rows,
        " AND ".join([in_range, *same]),
        source_alias="source",
        target_alias="target",
        writer_properties=WriterProperties(compression="ZSTD"),
        post_commithook_properties=NO_HOOKS,
    )


def _commit(merge: TableMerger, folder: str) -> None:
    if merge.execute()["num_target_files_removed"]:
        write_checksum(Path(folder))
