"""Make frames of rows, and compare whole frames."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType


def frame(spark: SparkSession, rows: Sequence[tuple[Any, ...]], schema: StructType) -> DataFrame:
    """A frame of these rows, by way of Arrow: a list of tuples would start Python workers."""
    arrow = to_arrow_schema(schema, timezone="UTC")
    columns = list(zip(*rows, strict=True)) or [()] * len(arrow)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, arrow, strict=True)]
    return spark.createDataFrame(pa.Table.from_arrays(arrays, schema=pa.schema([(f.name, f.type) for f in arrow])))


def assert_rows(rows: DataFrame, expected: Sequence[tuple[Any, ...]]) -> None:
    """The frame has exactly these rows, in any order, under its own schema."""
    wanted = frame(rows.sparkSession, expected, rows.schema)
    assert_df_equality(rows, wanted, ignore_row_order=True, ignore_nullable=True, ignore_metadata=True)
