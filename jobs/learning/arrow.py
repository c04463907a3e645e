"""Arrow tables with a Delta table's columns and types, of columns from anywhere."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.errors import PlatformError
from schemas.tables import Table

_MONEY_SUM = pa.decimal128(32, 4)


def arrow_schema(table: Table) -> pa.Schema:
    """The table's columns as Arrow has them; times are UTC."""
    return to_arrow_schema(table.schema, timezone="UTC")


def decimals(values: ArrayLike) -> pa.Array:
    """Computed numbers as sums of money are kept, to four digits after the point; NaN is null."""
    return pa.array(values, pa.float64(), from_pandas=True).cast(_MONEY_SUM)


def table_of(table: Table, columns: Mapping[str, Any]) -> pa.Table:
    """Rows of the table: each column a list, a Series, an Arrow array, or one value for all rows; NaN is null."""
    if sorted(columns) != sorted(table.column_names):
        raise PlatformError(f"Rows of other columns than those of {table.name} were made: {', '.join(columns)}.")
    schema = arrow_schema(table)
    sized = [values for values in columns.values() if isinstance(values, pd.Series | pa.Array | list)]
    arrays = [_array(columns[field.name], field.type, len(sized[0])) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Any, type_: pa.DataType, rows: int) -> pa.Array:
    if isinstance(values, pa.Array):
        return values.cast(type_)
    if isinstance(values, pd.Series | list):
        return pa.array(values, type_, from_pandas=True)
    return pa.repeat(pa.scalar(values, type_), rows)
