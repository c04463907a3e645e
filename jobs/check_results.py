"""The table `check_results`: what the checks found, run by run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from deltalake import write_deltalake

from jobs.expectations import TableCheck
from jobs.lake import Lake
from schemas.tables import CHECK_RESULTS

_TYPES = {"table_version": pa.int64(), "success": pa.bool_(), "checked_at": pa.timestamp("us", tz="UTC")}
_SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in CHECK_RESULTS.column_names])


@dataclass(frozen=True)
class PastRun:
    """A run of the checks, as counts of its findings."""

    checked_at: datetime
    table_count: int
    expectation_count: int
    critical_count: int
    warning_count: int
    not_evaluated_count: int


def record(lake: Lake, run_id: str, checked_at: datetime, checks: Sequence[TableCheck]) -> None:
    """Append the findings of a run; nothing else writes this table."""
    rows = [
        {
            "run_id": run_id,
            "checked_at": checked_at,
            "table_name": check.table_name,
            "table_version": check.table_version,
            "expectation": finding.expectation,
            "severity": finding.severity,
            "success": finding.success,
            "observed": finding.observed,
        }
        for check in checks
        for finding in check.findings
    ]
    with lake.writing(CHECK_RESULTS):
        write_deltalake(lake.table_path(CHECK_RESULTS), pa.Table.from_pylist(rows, _SCHEMA), mode="append")


def past_runs(lake: Lake, limit: int = 10) -> list[PastRun]:
    """The newest runs, the newest first."""
    answer = lake.query(f"""
        SELECT checked_at, count(DISTINCT table_name) AS table_count, count(*) AS expectation_count,
               sum(CASE WHEN severity = 'critical' AND NOT success THEN 1 ELSE 0 END) AS critical_count,
               sum(CASE WHEN severity <> 'critical' AND NOT success THEN 1 ELSE 0 END) AS warning_count,
               sum(CASE WHEN success IS NULL THEN 1 ELSE 0 END) AS not_evaluated_count
        FROM {CHECK_RESULTS.name} GROUP BY run_id, checked_at ORDER BY checked_at DESC LIMIT {limit}
    """)
    return [PastRun(**run) for run in answer.to_pylist()]
