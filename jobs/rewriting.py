"""Rewrite a file of a table with some of its rows changed: Arrow in, Arrow out, nothing of the table itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.lake import in_common_types


class Without(Protocol):
    """Takes something out of rows that have these columns at least, and says which rows it was in."""

    @property
    def columns(self) -> Sequence[str]:
        """What it is found by, and what is changed."""

    def __call__(self, rows: pa.Table) -> tuple[pa.Table, pa.Array]:
        """The rows without it, and a flag for each."""


def rows_with(path: Path, without: Without) -> pa.Table | None:
    """The rows of a file that would be changed, in the columns that were looked at; None when it is no whole file."""
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid:
        return None
    groups = (file.read_row_group(i, columns=list(without.columns)) for i in range(file.num_row_groups))
    return pa.concat_tables([rows.filter(without(rows)[1]) for rows in map(in_common_types, groups)])


def rewrite(path: Path, target: Path, without: Without) -> None:
    """Write the file anew, to another place, in row groups of the same rows."""
    file = pq.ParquetFile(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    schema = in_common_types(file.schema_arrow.empty_table()).schema.remove_metadata()
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for i in range(file.num_row_groups):
            rows = in_common_types(file.read_row_group(i))
            writer.write_table(without(rows)[0].replace_schema_metadata())


def with_values(rows: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    """The rows with other values in these columns, which keep their places and types."""
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(name), values)
    return rows
