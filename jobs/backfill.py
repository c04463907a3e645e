"""Days of event time anew, beside the running stream: silver from bronze, its late repeats, gold and alerts."""

import logging
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table as Grid

from jobs import enrichment, late_repeats
from jobs.alerts.alert_backfill import AlertBackfill, DayOfAlerts
from jobs.alerts.rulebook import read_rulebook
from jobs.command_line import day_of
from jobs.errors import SettingsError
from jobs.gold_backfill import Difference, GoldBackfill
from jobs.ingest import carried_again
from jobs.lake import Lake
from jobs.lake_keys import ring_for_writing, ring_of
from jobs.settings import Settings
from jobs.silver_backfill import SilverBackfill
from jobs.windows import closed_for_good
from schemas.tables import ALERTS, BRONZE, GOLD, QUARANTINE, SILVER, Table

logger = logging.getLogger("momo.backfill")
_DAY = timedelta(days=1)
_WORDS = "{:,} looked at, {:,} changed, {:,} added, {:,} removed, {:,} left"


@dataclass(frozen=True)
class Plan:
    """Which days, and of these what: gold tables, silver from bronze, late repeats out of silver, and alerts."""

    days: tuple[date, ...]
    gold: tuple[Table, ...] = GOLD
    silver: bool = False
    takes_repeats: bool = True
    alerts: bool = False


@dataclass(frozen=True)
class Tally:
    """Rows or windows of a day of a table: looked at, changed, added, removed, and left as they are.

    Left to the stream, while it may still touch them, or to a run over more days, when both days of a row are not ours.
    """

    day: str
    table: str
    looked_at: int = 0
    changed: int = 0
    added: int = 0
    removed: int = 0
    left: int = 0


def plan_of(lake: Lake, first: str, end: str, names: str | None) -> Plan:
    """The plan that a command line asks for; raises `SettingsError` for days or tables that make none."""
    if lake.open(SILVER) is None:
        raise SettingsError(f"There are no tables in {lake.path}: run `momo stream` first, or name another --lake.")
    from_day, to_day = day_of("--from", first), day_of("--to", end)
    if from_day >= to_day:
        raise SettingsError(f"--to is {end}, a day after --from ({first}) is expected: the day after the last one.")
    days = tuple(from_day + n * _DAY for n in range((to_day - from_day).days))
    wanted = [] if names is None else [_table(name) for name in dict.fromkeys(names.split(","))]
    has_alerts = ALERTS in wanted
    if not wanted or SILVER in wanted:
        return Plan(days, silver=SILVER in wanted, alerts=has_alerts)
    gold = tuple(table for table in wanted if table in GOLD)
    return Plan(days, gold, takes_repeats=False, alerts=has_alerts)


def _table(name: str) -> Table:
    known = {"silver": SILVER} | {table.name: table for table in (SILVER, *GOLD, ALERTS)}
    if name not in known:
        raise SettingsError(f"--tables names '{name}', which cannot be backfilled: choose from {', '.join(known)}.")
    return known[name]


class Backfill:
    """One run over the days of a plan. Whatever a killed one has done, the next finds done."""

    def __init__(self, spark: SparkSession, lake: Lake, settings: Settings, plan: Plan, dry_run: bool) -> None:
        """Only what the stream has closed by now is touched; a dry run touches nothing."""
        self._lake, self._plan, self._dry_run = lake, plan, dry_run
        self._closed_before = closed_for_good(lake, settings.stream.lateness)
        ring = (ring_of if dry_run else ring_for_writing)(lake, settings.privacy)
        silver_columns = enrichment.silver_columns(ring)
        self._silver = SilverBackfill(spark, lake, settings, silver_columns, plan.days, self._closed_before)
        self._gold = GoldBackfill(spark, lake, plan.gold, self._closed_before)
        # Not without need: the rules may be wrong just now.
        self._alerts = _alerts(lake, settings) if plan.alerts else None

    def run(self) -> list[Tally]:
        """Silver before gold: killed in between, the next run finds the windows of gold to differ."""
        done: list[Tally] = []
        if self._plan.silver:
            for day in self._plan.days:
                done += _told(day, self._silver_from_bronze(day))
        first, end = self._plan.days[0], self._plan.days[-1] + _DAY
        repeats = late_repeats.find(self._lake, first, end) if self._plan.takes_repeats else None
        for day in self._plan.days:
            removed = None
            if repeats is not None:
                of_day = repeats.filter(pc.equal(repeats["event_date"], day))
                removed = late_repeats.removable(of_day, self._closed_before, carried_again(self._lake))
                done += _told(day, self._without_repeats(day, of_day, removed))
            if self._plan.gold:
                done += _told(day, self._gold_from_silver(day, removed))
            if self._alerts:
                done += _told(day, [_of_alerts(day, self._alerts.correct(day, self._dry_run))])
        return _by_day_and_table(done)

    def _silver_from_bronze(self, day: date) -> list[Tally]:
        changes = self._silver.look(day)
        if not self._dry_run:
            self._silver.carry_out(changes)
        looked_at, read, refused = changes.looked_at, changes.read_otherwise.num_rows, changes.refused.num_rows
        replaced, fit, gone = changes.replaced.num_rows, changes.fit.num_rows, changes.gone.num_rows
        return [
            Tally(str(day), BRONZE.name, looked_at, changed=read, left=changes.left),
            Tally(str(day), QUARANTINE.name, gone + refused, added=gone + refused),
            Tally(str(day), SILVER.name, looked_at, changed=replaced, added=fit, removed=gone),
        ]

    def _without_repeats(self, day: date, repeats: pa.Table, removable: pa.Table) -> list[Tally]:
        looked_at = self._lake.value(f"SELECT count(*) FROM {SILVER.name} WHERE event_date = '{day}'")
        if not self._dry_run:
            late_repeats.remove(self._lake, removable)
        removed, same = removable.num_rows, pc.sum(removable["is_same"]).as_py() or 0
        return [
            Tally(str(day), QUARANTINE.name, removed - same, added=removed - same),
            Tally(str(day), SILVER.name, looked_at, removed=removed, left=repeats.num_rows - removed),
        ]

    def _gold_from_silver(self, day: date, without: pa.Table | None) -> list[Tally]:
        recomputed = self._gold.recompute(day, without)
        differences = self._gold.compare(recomputed) if self._dry_run else self._gold.correct(recomputed)
        return [_of_gold(day, difference) for difference in differences]


def _of_gold(day: date, difference: Difference) -> Tally:
    windows = difference.windows
    new, gone = (pc.sum(windows[name]).as_py() or 0 for name in ("is_new", "is_gone"))
    changed = windows.num_rows - new - gone
    return Tally(str(day), difference.table.name, difference.looked_at, changed, new, gone, difference.left)


def _alerts(lake: Lake, settings: Settings) -> AlertBackfill:
    return AlertBackfill(lake, read_rulebook(settings.rules_path), settings.stream.lateness)


def _of_alerts(day: date, done: DayOfAlerts) -> Tally:
    gone = sum(alert["is_gone"] for alert in done.changed)
    # What an alert was before stays: when it was raised at first.
    new = sum(not alert["is_gone"] and alert["is_new"] for alert in done.changed)
    changed = len(done.changed) - gone - new
    return Tally(str(day), ALERTS.name, done.looked_at, changed, new, gone, done.left)


def _told(day: date, tallies: list[Tally]) -> list[Tally]:
    """Progress, for whoever watches."""
    for tally in tallies:
        _, table, *numbers = astuple(tally)
        logger.info("%s %s: %s", day, table, _WORDS.format(*numbers))
    return tallies


def _by_day_and_table(done: Sequence[Tally]) -> list[Tally]:
    """One of each: silver's and quarantine's are of two steps, which look at the same rows."""
    together: dict[tuple[str, str], Tally] = {}
    for one in done:
        before = together.get((one.day, one.table), Tally(one.day, one.table))
        sums = (a + b for a, b in zip(astuple(before)[3:], astuple(one)[3:], strict=True))
        together[one.day, one.table] = Tally(one.day, one.table, max(before.looked_at, one.looked_at), *sums)
    return sorted(together.values(), key=lambda tally: tally.day)


def summary(done: Sequence[Tally], dry_run: bool) -> None:
    """Print what was done, a line per day and table."""
    grid = Grid("day", "table", "looked at", "changed", "added", "removed", "left", box=None)
    for column in grid.columns[:2]:
        column.no_wrap = True
    for tally in done:
        grid.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in astuple(tally)))
    console = Console()
    console.print(grid)
    if dry_run:
        console.print("dry run: this is due, nothing was done")
