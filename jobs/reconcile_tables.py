"""Prove that nothing was lost, doubled or changed: Kafka = bronze = silver + quarantine + repeats, gold = silver."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console
from rich.table import Table

from infra.topics import end_offsets
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.errors import LakeLocked, PlatformError, TryAgain
from jobs.key_ring import KeyRing
from jobs.lake import Lake
from jobs.lake_keys import ring_of
from jobs.reconciliation import Reconciliation, reconcile, record_conflicts


def main(argv: Sequence[str] | None = None) -> int:
    """0 when everything agrees, 1 with the differences when not, 75 while a running stream is behind."""
    parser = argparse.ArgumentParser(prog="momo reconcile", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object; money as text")
    add_settings_arguments(parser, "kafka", "lake")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    lake = Lake(settings.lake_path)
    lake.must_exist()
    ring = ring_of(lake, settings.privacy)
    # Tables of an earlier version lack columns that the proof asks for.
    lake.create()
    offsets = end_offsets(settings)
    is_streaming = not _recorded_conflicts(lake, ring)
    result = reconcile(lake, settings.kafka.topic, offsets, ring)
    if arguments.json:
        print(json.dumps(result.as_dict()))
    else:
        print_reconciliation(result)
    if result.is_clean:
        return 0
    if is_streaming and result.behind:
        raise TryAgain(f"The stream is running and {result.behind:,} records behind: try again when it has caught up.")
    if result.behind:
        raise PlatformError(f"{result.behind:,} records are not carried through the tables yet: run `momo stream`.")
    return PlatformError.exit_code


def _recorded_conflicts(lake: Lake, ring: KeyRing) -> bool:
    """Conflicts go to quarantine when nobody else is writing; false when somebody is."""
    with suppress(LakeLocked), lake.locked("momo reconcile"):
        record_conflicts(lake, ring)
        return True
    return False


def print_reconciliation(result: Reconciliation) -> None:
    """The proof as a person reads it."""
    console = Console()
    lost = sum(loss.records for loss in result.losses)
    console.print(
        f"{result.kafka:,} Kafka records" + (f" - {lost:,} accepted as lost" if lost else "") + f" = {result.bronze:,} "
        f"bronze = {result.silver:,} silver + {result.quarantine:,} "
        f"quarantine + {result.repeats:,} repeats" + (f" + {result.conflicts:,} conflicts" if result.conflicts else "")
    )
    table = Table("measure", "currency", "silver", "gold", "", box=None, pad_edge=False)
    for line in result.money:
        agrees = "=" if line.agrees else "≠"
        table.add_row(line.measure, line.currency, f"{line.silver:,}", f"{line.gold:,}", agrees)
    console.print(table)
    for loss in result.losses:
        console.print(f"accepted as lost: {loss}")
    for difference in result.differences:
        console.print(f"[red]difference:[/] {difference}")
    if result.is_clean:
        nothing = "nothing else" if lost else "nothing"
        console.print(f"[green]clean[/]: {nothing} lost, nothing doubled, money conserved to the last digit")


if __name__ == "__main__":
    sys.exit(run(main))
