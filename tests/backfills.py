"""Backfill days of a lake, and say what was done to which table."""

from jobs.backfill import Backfill, Tally, plan_of
from schemas.tables import BRONZE, GOLD, QUARANTINE, SILVER, Table

ALL_DAYS = ("2026-03-24", "2026-03-28")


def backfilled(stream, settings, first=ALL_DAYS[0], end=ALL_DAYS[1], tables=None, dry_run=False) -> list[Tally]:
    """What a run of the program does."""
    plan = plan_of(stream.lake, first, end, tables)
    return Backfill(stream.spark, stream.lake, settings, plan, dry_run).run()


def changes(done: list[Tally]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """(changed, added, removed) by day and table, where something was."""
    found = {(one.day[-2:], one.table): (one.changed, one.added, one.removed) for one in done}
    return {key: counts for key, counts in found.items() if any(counts)}


def versions(stream) -> dict[str, int]:
    """The newest version of each table."""
    return {table.name: stream.lake.newest_version(table) for table in (BRONZE, SILVER, QUARANTINE, *GOLD)}


def measures(stream, table: Table) -> list[tuple]:
    """The windows of a gold table, without the history of their making."""
    state = ("is_final", "revision", "corrected_at")
    columns = ", ".join(name for name in table.column_names if name not in state)
    return sorted(stream.rows(f"SELECT {columns} FROM {table.name}"), key=str)
