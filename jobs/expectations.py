"""The checks of committed tables: one suite of expectations per table, judged by Great Expectations.

Row rules (`jobs/rules.py`) judge each record before it reaches silver; these look at what the tables hold afterwards,
keys and sums included. Counts alone leave this module, never a value of the data.
"""

import logging
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pyspark.sql import DataFrame, SparkSession

from jobs.errors import SettingsError
from jobs.lake import Lake
from jobs.settings import ROOT
from schemas.tables import CHECK_RESULTS, DAILY, LEARNED, TABLES, Table

SUITES = ROOT / "conf" / "expectations"
SEVERITIES = ("critical", "warning", "info")
# What the stream writes; the others are there when somebody has computed a day, or learned from one.
CHECKED = tuple(table for table in TABLES if table not in (*DAILY, CHECK_RESULTS))
BY_DAY = (*DAILY, *LEARNED)
ROW_COUNT = "expect_table_row_count_to_be_between"

# Counts, and of the rows that do not fit not one: the default fetches twenty of them, phone numbers and all.
COUNTS_ALONE = {"result_format": "BASIC", "partial_unexpected_count": 0}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Meta(_Part):
    """What an expectation belongs to: `rule` is the row rule that refuses the same record in the stream."""

    rule: str | None = None


class Expectation(_Part):
    """An expectation as its file states it; `description` is the sentence that must be true."""

    type: str
    kwargs: dict[str, Any]
    severity: Literal["critical", "warning", "info"]
    description: str = Field(min_length=1)
    meta: Meta = Meta()


class Suite(_Part):
    """The expectations of one table, each with a sentence of its own."""

    name: str
    expectations: list[Expectation]

    @model_validator(mode="after")
    def _counts_rows(self) -> Self:
        """An empty table satisfies every other expectation."""
        if ROW_COUNT not in [expectation.type for expectation in self.expectations]:
            raise ValueError(f"it lacks {ROW_COUNT}, without which an empty table passes")
        sentences = [expectation.description for expectation in self.expectations]
        if len(set(sentences)) < len(sentences):
            raise ValueError("two of its expectations have the same description")
        return self


@dataclass(frozen=True)
class Finding:
    """What one expectation found: `success` is None when it could not be evaluated, `observed` holds counts alone."""

    expectation: str
    severity: str
    rule: str | None
    success: bool | None
    observed: str

    @property
    def fails_the_run(self) -> bool:
        """A critical expectation that does not hold, or any that could not be evaluated."""
        return self.success is None or (self.severity == "critical" and not self.success)


@dataclass(frozen=True)
class TableCheck:
    """The findings in one version of a table."""

    table_name: str
    table_version: int
    row_count: int
    seconds: float
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> list[Finding]:
        """What did not hold or could not be evaluated, worst first."""
        failed = [finding for finding in self.findings if not finding.success]
        return sorted(failed, key=lambda finding: (not finding.fails_the_run, SEVERITIES.index(finding.severity)))

    @property
    def fails_the_run(self) -> bool:
        """True when one of the findings does."""
        return any(finding.fails_the_run for finding in self.findings)


def existing_lake(path: Path) -> Lake:
    """The lake in a folder; raises `SettingsError` when there is none."""
    if not path.is_dir():
        raise SettingsError(f"There is no lake at {path}: start the stream once, or name another --lake.")
    return Lake(path)


def tables_named(lake: Lake, names: str | None) -> list[Table]:
    """The tables of a comma-separated list; raises `SettingsError` for one that has no suite.

    For None all that the stream writes, and of those by day the ones that have rows.
    """
    with_suite = {table.name: table for table in (*CHECKED, *BY_DAY)}
    if names is None:
        return [*CHECKED, *(table for table in BY_DAY if _has_files(lake, table))]
    wanted = list(dict.fromkeys(names.split(",")))
    unknown = [name for name in wanted if name not in with_suite]
    if unknown:
        raise SettingsError(f"--tables names '{unknown[0]}', which has no checks: choose from {', '.join(with_suite)}.")
    return [with_suite[name] for name in wanted]


def _has_files(lake: Lake, table: Table) -> bool:
    there = lake.open(table)
    return there is not None and bool(there.file_uris())


def read_suite(table: Table, future_tolerance: str, folder: Path = SUITES) -> Suite:
    """The suite of a table, `$future_tolerance` in it replaced; raises `SettingsError` when it is not a suite."""
    path = folder / f"{table.name}.json"
    try:
        suite = Suite.model_validate_json(path.read_text().replace("$future_tolerance", future_tolerance))
    except OSError as problem:
        raise SettingsError(f"The suite {path} cannot be read: {problem.strerror}.") from None
    except ValidationError as invalid:
        first = invalid.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the suite"
        what = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"The suite {path} is wrong at {where}: {what}.") from None
    if suite.name != table.name:
        raise SettingsError(f"The suite {path} is named '{suite.name}': it must be named as its table, '{table.name}'.")
    return suite


def check_table(spark: SparkSession, lake: Lake, table: Table, suite: Suite) -> TableCheck:
    """Judge the newest version of a table; raises `SettingsError` when the lake has no such table."""
    started = time.monotonic()
    committed = lake.open(table)
    if committed is None:
        raise SettingsError(f"{lake.path} has no table {table.name}: start the stream once, or name another --lake.")
    version = committed.version()
    # This very version, for a running stream may commit the next one at any moment.
    rows = spark.read.format("delta").option("versionAsOf", version).load(lake.table_path(table)).persist()
    try:
        row_count = rows.count()
        findings = check_rows(rows, suite)
    finally:
        rows.unpersist()
    return TableCheck(table.name, version, row_count, time.monotonic() - started, tuple(findings))


def check_rows(rows: DataFrame, suite: Suite) -> list[Finding]:
    """Judge rows by a suite: one finding per expectation, in the suite's order.

    Raises `SettingsError` when an expectation is none that Great Expectations knows.
    """
    # It logs each of its functions on import, and later the values that something went wrong with.
    library_log = logging.getLogger("great_expectations")
    library_log.propagate, library_log.handlers = False, [logging.NullHandler()]
    # Takes seconds to import, which only those pay who check.
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    # persist=False, for it would cache the frame and never let go.
    asset = context.data_sources.add_spark("lake", persist=False).add_dataframe_asset(suite.name)
    batch = asset.add_batch_definition_whole_dataframe("committed").get_batch({"dataframe": rows})
    outcome = batch.validate(_as_gx_suite(suite), result_format=COUNTS_ALONE)
    results = {result.expectation_config.meta["position"]: result for result in outcome.results}
    return [_finding(expectation, results.get(i)) for i, expectation in enumerate(suite.expectations)]


def _as_gx_suite(suite: Suite) -> Any:
    from great_expectations.core import ExpectationSuite

    # Its import makes expect_rows_to_satisfy known.
    import jobs.row_expectation  # noqa: F401

    # Results come in another order: each carries its position.
    numbered = [e.model_dump() | {"meta": {"position": i}} for i, e in enumerate(suite.expectations)]
    try:
        gx_suite = ExpectationSuite(name=suite.name, expectations=numbered)
    except Exception as problem:
        # Whatever it raises here is about the arguments an expectation was given in the file.
        reason = " ".join(str(problem).split())
        raise SettingsError(f"The suite {suite.name} has an expectation with wrong arguments: {reason}") from None
    understood = {(expectation.meta or {}).get("position") for expectation in gx_suite.expectations}
    for position, expectation in enumerate(suite.expectations):
        # What it does not know it leaves out, with a line in its log.
        if position not in understood:
            raise SettingsError(f"The suite {suite.name} has '{expectation.type}', an expectation that does not exist.")
    return gx_suite


def _finding(expectation: Expectation, result: Any) -> Finding:
    counts = {} if result is None else result.result
    was_evaluated = bool({"observed_value", "unexpected_count"} & set(counts))
    return Finding(
        expectation=expectation.description,
        severity=expectation.severity,
        rule=expectation.meta.rule,
        success=bool(result.success) if was_evaluated else None,
        observed=_observed(expectation, counts) if was_evaluated else _reason(result),
    )


def _observed(expectation: Expectation, counts: dict[str, Any]) -> str:
    if expectation.type == ROW_COUNT:
        return f"{counts['observed_value']:,} rows"
    if "element_count" in counts:
        return f"{counts['unexpected_count'] or 0:,} of {counts['element_count']:,} rows do not fit"
    return f"{counts['observed_value']:,} do not fit"


def _reason(result: Any) -> str:
    """Spark's name of the error, where there is one: its message may quote a value."""
    named = re.search(r"\[([A-Z][A-Z0-9_.]+)\]", str(None if result is None else result.exception_info))
    return f"could not be evaluated ({named.group(1)})" if named else "could not be evaluated"
