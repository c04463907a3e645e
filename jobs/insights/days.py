"""Days of the daily gold tables anew from silver, beside the running stream; what is right already is not touched."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Grid

from jobs.command_line import day_of
from jobs.errors import SettingsError
from jobs.insights import daily
from jobs.insights.balances import gold_balances_daily, gold_trust_daily
from jobs.insights.charges import with_charges
from jobs.insights.customers import gold_customers_daily, gold_pairs_daily
from jobs.insights.kpis import gold_kpis_daily
from jobs.insights.reference_tables import Reference
from jobs.lake import Lake
from schemas.tables import (
    AGENTS_DAILY,
    BALANCES_DAILY,
    CORRIDORS_DAILY,
    CUSTOMERS_DAILY,
    DAILY,
    FAILURES_DAILY,
    KPIS_DAILY,
    MERCHANTS_DAILY,
    PAIRS_DAILY,
    REVENUE_DAILY,
    SILVER,
    TRUST_DAILY,
    Table,
)

logger = logging.getLogger("momo.insights")


@dataclass(frozen=True)
class Plan:
    """Which days of which tables."""

    days: tuple[date, ...]
    tables: tuple[Table, ...] = DAILY


@dataclass(frozen=True)
class Tally:
    """Rows of a day of a table, and how many of them were changed, added and removed."""

    day: str
    table: str
    rows: int
    changed: int
    added: int
    removed: int

    @property
    def is_clean(self) -> bool:
        """Nothing differs from what the table says."""
        return not self.changed + self.added + self.removed


def plan_of(lake: Lake, first: str, end: str | None, names: str | None) -> Plan:
    """The plan that a command line asks for; raises `SettingsError` for days or tables that make none."""
    if lake.open(SILVER) is None:
        raise SettingsError(f"There are no tables in {lake.path}: run `momo stream` first, or name another --lake.")
    from_day = day_of("--day", first)
    to_day = from_day + timedelta(days=1) if end is None else day_of("--to", end)
    if from_day >= to_day:
        raise SettingsError(f"--to is {end}, a day after --day ({first}) is expected: the day after the last one.")
    days = tuple(from_day + timedelta(days=n) for n in range((to_day - from_day).days))
    known = {table.name: table for table in DAILY}
    wanted = list(known) if names is None else list(dict.fromkeys(names.split(",")))
    for name in wanted:
        if name not in known:
            raise SettingsError(f"--tables names '{name}', which is no daily table: choose from {', '.join(known)}.")
    return Plan(days, tuple(known[name] for name in wanted))


class Insights:
    """One run over the days of a plan, all of one version of silver; safe to repeat."""

    def __init__(self, spark: SparkSession, lake: Lake, reference: Reference) -> None:
        """Silver is as it is now: what comes later is for the next run."""
        self._spark, self._lake, self._reference = spark, lake, reference
        self._silver = lake.read(spark, SILVER, lake.newest_version(SILVER))

    def run(self, plan: Plan) -> list[Tally]:
        """Set the tables right, day by day; a day of a table is one commit, none where nothing differs."""
        return [tally for day in plan.days for tally in self._derive(day, plan.tables)]

    def _derive(self, day: date, tables: Sequence[Table]) -> list[Tally]:
        rows = self._silver.filter(F.col("event_date") == F.lit(day))
        charged = with_charges(rows, self._reference).persist()
        until = self._silver.filter(F.col("event_date") <= F.lit(day))
        try:
            computed = computations(charged, until, day, self._reference)
            return [self._set_right(day, table, computed[table.name]()) for table in tables]
        finally:
            charged.unpersist()

    def _set_right(self, day: date, table: Table, computed: DataFrame) -> Tally:
        wanted = computed.select([F.col(column.name).cast(column.type) for column in table.columns]).persist()
        try:
            there = self._lake.read(self._spark, table).filter(F.col("event_date") == F.lit(day))
            tally = Tally(str(day), table.name, *difference(wanted, there, table))
            if not tally.is_clean:
                self._lake.replace_day(wanted, table, day)
        finally:
            wanted.unpersist()
        logger.info("%s %s: %s rows, %s changed, %s added, %s removed", *astuple(tally))
        return tally


def computations(
    charged: DataFrame, until: DataFrame, day: date, reference: Reference
) -> Mapping[str, Callable[[], DataFrame]]:
    """What computes each daily table: of the day's charged rows, or of all of silver until its end."""
    return {
        CUSTOMERS_DAILY.name: lambda: gold_customers_daily(charged),
        KPIS_DAILY.name: lambda: gold_kpis_daily(until, day),
        REVENUE_DAILY.name: lambda: daily.gold_revenue_daily(charged),
        AGENTS_DAILY.name: lambda: daily.gold_agents_daily(charged, reference),
        MERCHANTS_DAILY.name: lambda: daily.gold_merchants_daily(charged),
        CORRIDORS_DAILY.name: lambda: daily.gold_corridors_daily(charged),
        FAILURES_DAILY.name: lambda: daily.gold_failures_daily(charged),
        PAIRS_DAILY.name: lambda: gold_pairs_daily(charged),
        BALANCES_DAILY.name: lambda: gold_balances_daily(charged, reference.limits),
        TRUST_DAILY.name: lambda: gold_trust_daily(until, day, reference.trust_statements),
    }


def difference(wanted: DataFrame, there: DataFrame, table: Table) -> tuple[int, int, int, int]:
    """Rows that are wanted, and of the table's how many are to be changed, added and removed, by its key."""
    measures = [name for name in table.column_names if name not in table.key]
    sides = {"wanted": wanted, "there": there}
    left, right = (rows.select(*table.key, F.struct(*measures).alias(name)) for name, rows in sides.items())
    is_wanted, is_there = F.col("wanted").isNotNull(), F.col("there").isNotNull()
    counts = left.join(right, list(table.key), "full").agg(
        F.count_if(is_wanted),
        F.count_if(is_wanted & is_there & ~F.col("wanted").eqNullSafe(F.col("there"))),
        F.count_if(is_wanted & ~is_there),
        F.count_if(~is_wanted & is_there),
    )
    rows, changed, added, removed = counts.collect()[0]
    return rows, changed, added, removed


def summary(done: Sequence[Tally]) -> None:
    """Print what was done, a line per day and table."""
    grid = Grid("day", "table", "rows", "changed", "added", "removed", box=None)
    for column in grid.columns[:2]:
        column.no_wrap = True
    for tally in done:
        grid.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in astuple(tally)))
    Console().print(grid)
