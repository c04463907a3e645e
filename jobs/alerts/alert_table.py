"""The table of alerts: what is there, and how it comes to say what silver says."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from jobs.alerts.evaluation import Windowing, shift_of
from jobs.alerts.evidence import microseconds_of, table_of
from jobs.alerts.movements import key_of
from jobs.alerts.rulebook import Rule, Rulebook
from jobs.corrections import correct_windows
from jobs.lake import Lake, instant, text
from schemas.tables import ALERTS

Alert = dict[str, Any]
# Of its writing, not of silver.
_OF_WRITING = ("raised_at", "revision")
_GONE = {"is_gone": True, "is_new": False}


def alerts_there(lake: Lake, where: str) -> list[Alert]:
    """The alerts of the table for which this SQL holds."""
    return [dict(row) for row in lake.query(f"SELECT * FROM {ALERTS.name} WHERE {where}").to_pylist()]


def newest(lake: Lake, since: datetime | None, rule: str | None, severity: str | None, limit: int) -> list[Alert]:
    """The alerts of the newest windows, of a rule or severity where one is named."""
    named = [f"{name} = {text(value)}" for name, value in (("rule_id", rule), ("severity", severity)) if value]
    conditions = [*named, *([ending_after(since)] if since else [])]
    where = " AND ".join(conditions) or "true"
    return alerts_there(lake, f"{where} ORDER BY window_start DESC, score DESC, alert_id LIMIT {limit}")


def of_the_newest(days: int) -> str:
    """SQL for the windows that start within so many days before the newest one's start."""
    return f"window_start > (SELECT max(window_start) FROM {ALERTS.name}) - INTERVAL '{days} days'"


def ending_after(time: datetime) -> str:
    """SQL for the windows that end later."""
    return f"window_end > {instant(time)}"


def starting_within(first: datetime, end: datetime) -> str:
    """SQL for the windows that start from the first to before the second."""
    return f"window_start >= {instant(first)} AND window_start < {instant(end)}"


def window_of(alert: Alert, rulebook: Rulebook) -> tuple[Windowing, int] | None:
    """The window of an alert; None when its rule is not there in this version, or looks at single rows."""
    rule = _rule_of(alert, rulebook)
    if rule is None or rule.scope == "row":
        return None
    start = microseconds_of(alert["window_start"])
    windowing = rule.kind, rule.length, shift_of(rule.length, start)
    return windowing, key_of(rule.kind, alert["entity"], alert["currency"], start)


def changes(wanted: Sequence[Alert], there: Sequence[Alert]) -> list[Alert]:
    """What makes `there` say what is wanted: alerts to put, `is_new` or not, and those with `is_gone` to take away."""
    before = {alert["alert_id"]: alert for alert in there}
    stays = {alert["alert_id"] for alert in wanted}
    put = [_put(alert, before.get(alert["alert_id"])) for alert in wanted]
    gone = [alert | {"is_gone": True} for alert in there if alert["alert_id"] not in stays]
    return [alert for alert in put if alert is not None] + gone


def put_changes(lake: Lake, changed: Sequence[Alert]) -> None:
    """Carry changes out, in one commit."""
    if changed:
        rows = table_of([{name: alert[name] for name in ALERTS.column_names} for alert in changed])
        is_gone = pa.array([alert["is_gone"] for alert in changed], pa.bool_())
        correct_windows(lake, ALERTS, rows.append_column("is_gone", is_gone))


def _put(alert: Alert, before: Mapping[str, Any] | None) -> Alert | None:
    """None where the table says the same."""
    if before is None:
        return alert | {"is_gone": False, "is_new": True}
    if all(alert[name] == before[name] for name in ALERTS.column_names if name not in _OF_WRITING):
        return None
    return alert | {"raised_at": before["raised_at"], "is_gone": False, "is_new": False}


def _rule_of(alert: Alert, rulebook: Rulebook) -> Rule | None:
    named = (alert["rule_id"], alert["rule_version"])
    return next((rule for rule in rulebook.rules if (rule.id, rule.version) == named), None)
