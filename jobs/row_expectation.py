"""An expectation of our own: each row satisfies a SQL condition, counted in the same pass as all other counts.

Great Expectations' own way, `unexpected_rows_expectation`, takes two Spark jobs for each and fetches the rows it
finds. Importing this module imports Great Expectations, which takes seconds: import it where it is used.
"""

from typing import Any, ClassVar

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_partial
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from pyspark.sql import Column
from pyspark.sql import functions as F


class RowsAgainstCondition(TableMetricProvider):
    """The number of rows for which the condition is false or null."""

    metric_name = "table.rows_against_condition"
    value_keys = ("condition",)

    @metric_partial(
        engine=SparkDFExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _spark(
        cls,
        execution_engine: SparkDFExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> tuple[Column, dict[str, Any], dict[str, Any]]:
        holds = F.coalesce(F.expr(metric_value_kwargs["condition"]), F.lit(False))
        return F.count_if(~holds), metric_domain_kwargs, {}


class ExpectRowsToSatisfy(BatchExpectation):
    """At least the share `mostly` of the rows satisfies `condition`; null counts as not, as in the row rules."""

    condition: str
    mostly: float = 1.0

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", RowsAgainstCondition.metric_name)
    success_keys: ClassVar[tuple[str, ...]] = ("condition", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("condition", "mostly")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        rows, against = metrics["table.row_count"], metrics[RowsAgainstCondition.metric_name]
        return {
            "success": rows - against >= self.mostly * rows,
            "result": {"element_count": rows, "unexpected_count": against},
        }
