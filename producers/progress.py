"""Say how a replay is getting on: a bar on a terminal, a line now and then elsewhere, both on standard error."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from producers.replay import ReplayCounts, Report

SECONDS_BETWEEN_LINES = 5.0


def summary(counts: ReplayCounts) -> str:
    """The counts in one line."""
    return (
        f"read {counts.read:,} · sent {counts.sent:,} · acknowledged {counts.acknowledged:,} · "
        f"rejected {counts.rejected:,} · {counts.records_per_second:,.0f} records/s"
    )


@contextlib.contextmanager
def progress() -> Iterator[Report]:
    """What is to be told the counts, about every second."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("connecting")
        yield lambda counts: bar.update(task, description=summary(counts))


def _lines() -> Report:
    due = time.monotonic() + SECONDS_BETWEEN_LINES

    def report(counts: ReplayCounts) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + SECONDS_BETWEEN_LINES
            sys.stderr.write(summary(counts) + "\n")

    return report
