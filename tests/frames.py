"""Compare whole frames."""

from collections.abc import Sequence
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType


def assert_rows(rows: DataFrame, expected: Sequence[tuple[Any, ...]]) -> None:
    """The frame has exactly these rows, in any order, under its own schema."""
    nullable = StructType.fromJson({**rows.schema.jsonValue(), "fields": _nullable(rows.schema.jsonValue()["fields"])})
    wanted = rows.sparkSession.createDataFrame(list(expected), nullable)
    assert_df_equality(rows, wanted, ignore_row_order=True, ignore_nullable=True, ignore_metadata=True)


def _nullable(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**field, "nullable": True, "metadata": {}} for field in fields]
