"""Days of event time anew, beside the running stream: repeats that came too late, and the windows of gold."""

import logging
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table as Grid

from jobs import late_repeats
from jobs.errors import SettingsError
from jobs.gold_backfill import Difference, GoldBackfill
from jobs.ingest import carried_again
from jobs.lake import Lake
from jobs.settings import Settings
from jobs.windows import closed_for_good
from schemas.tables import GOLD, QUARANTINE, SILVER, Table

logger = logging.getLogger("momo.backfill")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Plan:
    """Which days, and of these what: gold tables, and whether repeats that came too late are taken out of silver."""

    days: tuple[date, ...]
    gold: tuple[Table, ...]
    takes_repeats: bool


@dataclass(frozen=True)
class Tally:
    """Rows or windows of a day of a table: looked at, set right, added, removed, and left to the stream as they are."""

    day: str
    table: str
    looked_at: int = 0
    changed: int = 0
    added: int = 0
    removed: int = 0
    left_to_stream: int = 0


def plan_of(lake: Lake, first: str, end: str, names: str | None) -> Plan:
    """The plan that a command line asks for; raises `SettingsError` for days or tables that make none."""
    if lake.open(SILVER) is None:
        raise SettingsError(f"There are no tables in {lake.path}: run `momo stream` first, or name another --lake.")
    from_day, to_day = _date("--from", first), _date("--to", end)
    if from_day >= to_day:
        raise SettingsError(f"--to is {end}, a day after --from ({first}) is expected: the day after the last one.")
    days = tuple(from_day + n * _DAY for n in range((to_day - from_day).days))
    if names is None:
        return Plan(days, GOLD, takes_repeats=True)
    return Plan(days, tuple(_gold_table(name) for name in dict.fromkeys(names.split(","))), takes_repeats=False)


def _date(flag: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{flag} is '{text}', a day such as 2026-03-27 is expected.") from None


def _gold_table(name: str) -> Table:
    known = {table.name: table for table in GOLD}
    if name not in known:
        raise SettingsError(f"--tables names '{name}', which cannot be backfilled: choose from {', '.join(known)}.")
    return known[name]


class Backfill:
    """One run over the days of a plan. Whatever a killed one has done, the next finds done."""

    def __init__(self, spark: SparkSession, lake: Lake, settings: Settings, plan: Plan, dry_run: bool) -> None:
        """Only what the stream has closed by now is touched; a dry run touches nothing."""
        self._lake, self._plan, self._dry_run = lake, plan, dry_run
        self._closed_before = closed_for_good(lake, settings.stream.lateness)
        self._gold = GoldBackfill(spark, lake, plan.gold, self._closed_before)

    def run(self) -> list[Tally]:
        """Day by day, each told when it is done."""
        first, end = self._plan.days[0], self._plan.days[-1] + _DAY
        repeats = late_repeats.find(self._lake, first, end) if self._plan.takes_repeats else None
        done = []
        for day in self._plan.days:
            tallies = self._day(day, repeats)
            logger.info("%s: %s", day, told(tallies))
            done += tallies
        return done

    def _day(self, day: date, repeats: pa.Table | None) -> list[Tally]:
        """Silver before gold: after a kill in between, the next run finds the windows of gold to differ."""
        of_silver, removable = [], None
        if repeats is not None:
            of_day = repeats.filter(pc.equal(repeats["event_date"], day))
            removable = late_repeats.removable(of_day, self._closed_before, carried_again(self._lake))
            of_silver = self._of_silver(day, of_day, removable)
            if not self._dry_run:
                late_repeats.remove(self._lake, removable)
        recomputed = self._gold.recompute(day, without=removable)
        differences = self._gold.compare(recomputed) if self._dry_run else self._gold.correct(recomputed)
        return [*of_silver, *(_of_gold(day, difference) for difference in differences)]

    def _of_silver(self, day: date, repeats: pa.Table, removable: pa.Table) -> list[Tally]:
        rows = self._lake.value(f"SELECT count(*) FROM {SILVER.name} WHERE event_date = '{day}'")
        left = repeats.num_rows - removable.num_rows
        silver = Tally(str(day), SILVER.name, rows, removed=removable.num_rows, left_to_stream=left)
        conflicts = removable.num_rows - (pc.sum(removable["is_same"]).as_py() or 0)
        return [silver, Tally(str(day), QUARANTINE.name, conflicts, added=conflicts)] if conflicts else [silver]


def _of_gold(day: date, difference: Difference) -> Tally:
    count, (new, gone) = (
        difference.windows.num_rows,
        (pc.sum(difference.windows[name]).as_py() or 0 for name in ("is_new", "is_gone")),
    )
    changed, left = count - new - gone, difference.left_to_stream
    return Tally(str(day), difference.table.name, difference.looked_at, changed, new, gone, left)


def told(tallies: Sequence[Tally]) -> str:
    """A day in one line."""
    sums = [sum(column) for column in zip(*(astuple(tally)[2:] for tally in tallies), strict=True)]
    return "{:,} looked at, {:,} changed, {:,} added, {:,} removed, {:,} left to the stream".format(*sums)


def summary(done: Sequence[Tally], dry_run: bool) -> None:
    """Print what was done, a line per day and table."""
    grid = Grid("day", "table", "looked at", "changed", "added", "removed", "left to the stream", box=None)
    for column in grid.columns[:2]:
        column.no_wrap = True
    for tally in done:
        grid.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in astuple(tally)))
    console = Console()
    console.print(grid)
    if dry_run:
        console.print("dry run: this is due, nothing was done")
