"""Write a day of a table that was learned: whole, in one commit, and none when the table says the same already."""

from datetime import date

import pyarrow as pa
from deltalake import write_deltalake

from jobs.lake import Lake
from jobs.learning.arrow import arrow_schema
from schemas.tables import Table


def put_day(lake: Lake, table: Table, day: date, rows: pa.Table) -> bool:
    """Put these rows in place of the day's; whether the table is another one now. Makes the table if there is none."""
    lake.create([table])
    in_day = f"day = '{day.isoformat()}'"
    with lake.writing(table):
        there = lake.query(f"SELECT * FROM {table.name} WHERE {in_day}").cast(arrow_schema(table))
        if _in_order(there, table).equals(_in_order(rows, table)):
            return False
        write_deltalake(lake.table_path(table), rows, mode="overwrite", predicate=in_day)
    return True


def _in_order(rows: pa.Table, table: Table) -> pa.Table:
    return rows.sort_by([(name, "ascending") for name in table.key]).combine_chunks()
