"""Alerts of days anew from silver, beside the running stream: what the rules of today say of closed windows.

Silver is read without a lock; under it those windows are left out to which rows have come since, for the stream
corrects them. Alerts of other versions of a rule, and of rules that are gone, stay as they are. Kafka gets nothing.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from jobs.alerts import progress
from jobs.alerts.alert_table import Alert, alerts_there, changes, put_changes, starting_within
from jobs.alerts.evaluation import shift_of
from jobs.alerts.evidence import alert_rows, microseconds_of
from jobs.alerts.rulebook import Rule, Rulebook
from jobs.alerts.silver_rows import Span, newest_event_time
from jobs.alerts.writing import DAY, HOUR, whole_windows
from jobs.lake import Lake, read_columns
from jobs.settings import duration_seconds
from jobs.windows import closed_by
from schemas.tables import SILVER


@dataclass(frozen=True)
class DayOfAlerts:
    """What a day's alerts should be, what they are, and which changes that needs; `left` wait for the stream."""

    looked_at: int
    changed: list[Alert]
    left: int


class AlertBackfill:
    """Sets alerts right, day by day; safe to repeat."""

    def __init__(self, lake: Lake, rulebook: Rulebook, lateness: str) -> None:
        """Only windows are touched that the stream has closed for good: all, where it looks for no alerts."""
        self._lake, self._rulebook = lake, rulebook
        version, every = progress.reached(lake), datetime.max.replace(tzinfo=UTC)
        newest = newest_event_time(lake, version) if version >= 0 else None
        self._closed = closed_by(newest, timedelta(seconds=duration_seconds(lateness))) if newest else every

    def correct(self, day: date, dry_run: bool = False) -> DayOfAlerts:
        """Set the alerts of a day right, in one commit; or only say what is due."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        version = self._lake.newest_version(SILVER)
        fired, evidence = whole_windows(self._lake, self._rulebook, (midnight, midnight + DAY))
        wanted = alert_rows(fired, evidence, datetime.now(UTC))
        with self._lake.correcting():
            done = self._compared(wanted, (midnight, midnight + DAY), version)
            if not dry_run:
                put_changes(self._lake, done.changed)
        return done

    def _compared(self, wanted: list[Alert], span: Span, version: int) -> DayOfAlerts:
        files = self._lake.appended(SILVER, after=version)
        since = read_columns(files, ["event_time"])["event_time"].to_pylist() if files else []
        there = [alert for alert in alerts_there(self._lake, starting_within(*span)) if self._rule_of(alert)]
        ours = [alert for alert in wanted if self._is_ours(alert, since)]
        ours_there = [alert for alert in there if self._is_ours(alert, since)]
        looked_at = len({alert["alert_id"] for alert in (*ours, *ours_there)})
        every = len({alert["alert_id"] for alert in (*wanted, *there)})
        return DayOfAlerts(looked_at, changes(ours, ours_there), every - looked_at)

    def _is_ours(self, alert: Alert, since: list[datetime]) -> bool:
        """Closed for good, and no row has come to its hour, or to its day, meanwhile."""
        rule = self._rule_of(alert)
        if rule is None:
            return False
        first, end = _block(rule, alert["window_start"])
        return end <= self._closed and not any(first <= time < end for time in since)

    def _rule_of(self, alert: Alert) -> Rule | None:
        named = (alert["rule_id"], alert["rule_version"])
        return next((rule for rule in self._rulebook.rules if (rule.id, rule.version) == named), None)


def _block(rule: Rule, start: datetime) -> Span:
    """The hour or day whose windows close together."""
    span = max(timedelta(microseconds=rule.length), HOUR)
    shift = shift_of(rule.length, microseconds_of(start))
    since = timedelta(microseconds=microseconds_of(start) - shift) % span
    return start - since, start - since + span
