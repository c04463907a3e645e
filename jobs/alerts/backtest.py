"""What rules would have said of the days that silver holds: nothing is written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from rich.table import Table as Grid

from jobs.alerts.evidence import alert_rows
from jobs.alerts.facts import Facts
from jobs.alerts.rulebook import Rule, Rulebook
from jobs.alerts.silver_rows import Span
from jobs.alerts.writing import DAY, whole_windows
from jobs.lake import Lake
from schemas.tables import ALERTS


@dataclass(frozen=True)
class Backtested:
    """A rule over some days: its alerts, of how many entities, by band, and how many the table has of the same days."""

    rule: str
    version: int
    state: str
    alerts: int
    entities: int
    bands: dict[str, int]
    in_table: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def backtest(lake: Lake, rules: Sequence[Rule], facts: Facts, first: date, end: date) -> list[Backtested]:
    """Each rule, paused ones too, over the days from the first to before the second, a day at a time."""
    bands: dict[str, Counter[str]] = {rule.id: Counter() for rule in rules}
    entities: dict[str, set[str]] = {rule.id: set() for rule in rules}
    for day in range((end - first).days):
        fired, evidence = whole_windows(lake, Rulebook(tuple(rules), facts), _span(first + day * DAY))
        for alert in alert_rows(fired, evidence, None):
            bands[alert["rule_id"]][alert["band"]] += 1
            entities[alert["rule_id"]].add(alert["entity"])
    return [
        Backtested(
            rule=rule.id,
            version=rule.version,
            state=rule.state,
            alerts=bands[rule.id].total(),
            entities=len(entities[rule.id]),
            bands={band.name: bands[rule.id][band.name] for band in rule.bands},
            in_table=_in_table(lake, rule, first, end),
        )
        for rule in rules
    ]


def grid(done: Sequence[Backtested]) -> Grid:
    """One line per rule."""
    lines = Grid("rule", "version", "state", "alerts", "entities", "bands", "in the table", box=None)
    for one in done:
        bands = ", ".join(f"{name} {count:,}" for name, count in one.bands.items())
        lines.add_row(
            one.rule, str(one.version), one.state, f"{one.alerts:,}", f"{one.entities:,}", bands, f"{one.in_table:,}"
        )
    return lines


def _span(day: date) -> Span:
    midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    return midnight, midnight + timedelta(days=1)


def _in_table(lake: Lake, rule: Rule, first: date, end: date) -> int:
    return int(
        lake.value(
            f"SELECT count(*) FROM {ALERTS.name} WHERE rule_id = '{rule.id}' AND rule_version = {rule.version} "
            f"AND window_date >= '{first}' AND window_date < '{end}'"
        )
    )
