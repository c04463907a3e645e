"""Great Expectations on each silver batch, as its own tutorial has it: eight expectations, default result format."""

import logging
from typing import Any

import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig
from pyspark.sql import DataFrame

NEVER_NULL = ("transaction_reference", "status", "event_time", "amount")

logger = logging.getLogger("tutorial.checks")


class BatchChecks:
    """One ephemeral context and one suite for all batches."""

    def __init__(self) -> None:
        """Make them; nothing is written to disk."""
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
        asset = context.data_sources.add_spark("spark", persist=False).add_dataframe_asset("silver")
        self._batches = asset.add_batch_definition_whole_dataframe("batch")
        self._suite = context.suites.add(gx.ExpectationSuite(name="silver", expectations=_expectations()))

    def validate(self, rows: DataFrame) -> None:
        """Judge a batch, at the default result format SUMMARY; what fails is logged, as a tutorial would."""
        result = self._batches.get_batch(batch_parameters={"dataframe": rows}).validate(self._suite)
        if not result.success:
            failed = [str(one.expectation_config) for one in result.results if not one.success]
            logger.warning("batch fails %s", ", ".join(failed))


def _expectations() -> list[Any]:
    known: Any = gx.expectations
    return [
        *(known.ExpectColumnValuesToNotBeNull(column=name) for name in NEVER_NULL),
        known.ExpectColumnValuesToBeBetween(column="amount", min_value=0),
        known.ExpectColumnValuesToBeInSet(column="status", value_set=["pending", "completed", "failed"]),
        known.ExpectColumnValuesToMatchRegex(column="currency", regex="^[A-Z]{3}$"),
        known.ExpectCompoundColumnsToBeUnique(column_list=["transaction_reference", "status"]),
    ]
