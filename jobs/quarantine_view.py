"""Rows of quarantine, and what became of them, as a person reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs import rules
from jobs.retry import Retried

Row = Mapping[str, Any]
# A reference is the sender's, of whatever length.
LONGEST_REFERENCE = 40


def print_list(rows: Sequence[Row], total: int, state: str) -> None:
    """One line per row, and how many there are."""
    table = Table("topic", "partition", "offset", "arrived", "transaction", "refused for", "tries", "amount", box=None)
    for row in rows:
        place = (row["topic"], str(row["partition"]), str(row["offset"]))
        said = (_reference(row), ", ".join(row["rules_now"]), str(row["tries"]), _money(row))
        table.add_row(*place, f"{row['first_seen_at']:%Y-%m-%d %H:%M:%S}", *said)
    console = terminal()
    if rows:
        console.print(table)
    console.print(f"{total:,} {state}" + (f", the newest {len(rows):,} are shown" if len(rows) < total else ""))


def print_rows(rows: Sequence[Row]) -> None:
    """Every column of each row that holds something, a line each."""
    console = terminal()
    for row in rows:
        for name, value in row.items():
            if name != "rules_now" and value is not None:
                said = ", ".join(value) if isinstance(value, list) else str(value)
                console.print(f"{name:<21} {printable(said)}")
        console.print()


def print_retried(retried: Retried, dry_run: bool) -> None:
    """What became of the rows that were looked at, or would."""
    console = terminal()
    if not retried.looked_at:
        console.print(
            f"The rules of this version ({rules.RULES_VERSION}) have looked at every open row that is meant: "
            "--again makes them look once more."
        )
        return
    console.print(f"{retried.looked_at:,} looked at by rules of version {rules.RULES_VERSION}")
    console.print(f"{retried.released:,} released to silver; gold counts them while the stream runs")
    console.print(f"{retried.repeats:,} closed: repeats of rows of silver")
    console.print(f"{retried.conflicts:,} stay open: they pass, and contradict the row of silver with their key")
    by_rule = ", ".join(f"{rule} {rows:,}" for rule, rows in retried.refused.items())
    console.print(f"{retried.refused_again:,} refused again" + (f": {by_rule}" if by_rule else ""))
    if dry_run:
        console.print("dry run: nothing was done")


def _reference(row: Row) -> str:
    reference = printable(row["transaction_reference"] or "")
    return reference if len(reference) <= LONGEST_REFERENCE else f"{reference[:LONGEST_REFERENCE]}…"


def _money(row: Row) -> str:
    return "" if row["amount"] is None else f"{row['amount']:,} {row['currency'] or ''}".strip()


def printable(text: str) -> str:
    """A text of a record without what a terminal would obey."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)


def terminal() -> Console:
    """Where texts of records are printed as they are, a row on a line when it is no terminal."""
    console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 10_000
    return console
