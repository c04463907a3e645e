"""The demo's result: what went in, where it is, and whether the two agree."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.reconciliation import Reconciliation
from jobs.settings import ROOT
from producers.replay import ReplayCounts
from schemas.tables import CONFLICT_RULE


@dataclass(frozen=True)
class Summary:
    """Counts of the producer, of the fault plan's manifest and of the tables."""

    counts: ReplayCounts
    manifest: Mapping[str, Any]
    reconciliation: Reconciliation
    quarantine: Mapping[str, int]
    tables: Mapping[str, int]
    alerts: Mapping[str, int]
    planted: Mapping[str, tuple[int, int]]
    corrected_windows: int
    checks_passed: bool
    lake: Path

    @property
    def expected_quarantine(self) -> dict[str, int]:
        """Rows by rule that the manifest foresees; conflicts are in quarantine once `reconcile` has seen them."""
        expected = self.manifest["expected"]
        conflicts = {CONFLICT_RULE: expected["conflicts"]} if expected["conflicts"] else {}
        return {**expected["quarantine"], **conflicts}

    @property
    def problems(self) -> list[str]:
        """Every disagreement as half a sentence; empty when all is well."""
        expected, found = self.manifest["expected"], self.reconciliation
        pairs = {
            "records sent, acknowledged": (self.counts.sent, self.counts.acknowledged),
            "records acknowledged, in bronze": (self.counts.acknowledged, found.bronze),
            "records expected in silver, found": (expected["silver"], found.silver),
            "repeats injected, dropped": (expected["duplicates"], found.repeats),
        }
        problems = [f"{what}: {one:,} and {other:,}" for what, (one, other) in pairs.items() if one != other]
        if dict(self.quarantine) != self.expected_quarantine:
            problems.append(f"quarantine is {dict(self.quarantine)}, the manifest says {self.expected_quarantine}")
        if not found.is_clean:
            problems.append("reconcile is not clean")
        if not self.checks_passed:
            problems.append("a critical expectation failed")
        return problems

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "counts": asdict(self.counts),
            "manifest": dict(self.manifest),
            "reconciliation": self.reconciliation.as_dict(),
            "quarantine": dict(self.quarantine),
            "tables": dict(self.tables),
            "alerts": dict(self.alerts),
            "planted_and_suspected": dict(self.planted),
            "corrected_windows": self.corrected_windows,
            "checks_passed": self.checks_passed,
            "problems": self.problems,
        }


def print_summary(summary: Summary, seconds: float) -> None:
    """The summary as a person reads it."""
    console = Console(highlight=False, soft_wrap=True)
    console.print()
    console.print(_counts("table", "rows", "Rows per table", summary.tables))
    console.print(_reasons(summary))
    console.print(_counts("rule", "raised", "Alerts of active rules: momo alerts list tells why", summary.alerts))
    console.print(_planted(summary))
    console.print(_money(summary))
    counts, found = summary.counts, summary.reconciliation
    console.print(
        f"sent {counts.sent:,} = acknowledged {counts.acknowledged:,} = bronze {found.bronze:,} = "
        f"silver {found.silver:,} + quarantine {found.quarantine:,} + repeats {found.repeats:,}"
    )
    console.print(f"{summary.corrected_windows:,} closed gold windows were corrected by late events")
    proved = "nothing lost, nothing doubled, money conserved to the last digit"
    _print_verdict(console, "reconcile", found.is_clean, proved)
    _print_verdict(console, "checks", summary.checks_passed, f"page: {summary.lake / 'checks' / 'index.html'}")
    lake = summary.lake.relative_to(ROOT)
    console.print(f"\n{seconds:.0f} s. Look around: .venv/bin/momo sql --lake {lake} ", end="")
    console.print('"SELECT * FROM gold_agent_activity_5m ORDER BY net_float LIMIT 10"', markup=False)


def _print_verdict(console: Console, what: str, good: bool, words: str) -> None:
    verdict = "[green]clean[/]" if good else "[red]NOT CLEAN[/]"
    console.print(f"{what:<9} {verdict}  {words if good else ''}")


def _counts(what: str, counted: str, title: str, counts: Mapping[str, int]) -> Table:
    table = Table(what, title=title, title_justify="left")
    table.add_column(counted, justify="right")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    return table


def _reasons(summary: Summary) -> Table:
    table = Table("rule", title="Quarantine: faults injected and found", title_justify="left")
    for column in ("injected", "found"):
        table.add_column(column, justify="right")
    expected = summary.expected_quarantine
    for rule in sorted(expected.keys() | summary.quarantine.keys()):
        table.add_row(rule, f"{expected.get(rule, 0):,}", f"{summary.quarantine.get(rule, 0):,}")
    return table


def _planted(summary: Summary) -> Table:
    table = Table("fraud", title="Planted cases of fraud: momo alerts suspects names the parties", title_justify="left")
    for column in ("planted", "suspected"):
        table.add_column(column, justify="right")
    for typology, (planted, suspected) in summary.planted.items():
        table.add_row(typology, f"{planted:,}", f"{suspected:,}")
    return table


def _money(summary: Summary) -> Table:
    table = Table("currency", title="Completed money: silver against gold", title_justify="left")
    for column in ("silver_transactions", "gold_transactions_per_minute", ""):
        table.add_column(column, justify="right")
    for line in summary.reconciliation.money:
        if line.measure == "amount":
            same = "=" if line.agrees else "≠"
            table.add_row(line.currency, f"{line.silver:,}", f"{line.gold:,}", same)
    return table
