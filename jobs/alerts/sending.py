"""Which alerts go to Kafka: of active rules, when they are new or worse, and not again within the rule's cooldown."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from jobs.alerts.alert_table import Alert
from jobs.alerts.rulebook import LiveRules, Rulebook


class Receiver(Protocol):
    """Takes alerts; those with `is_gone` are taken back."""

    def send(self, alerts: Sequence[Alert]) -> None:
        """Return when all of them are safe."""


class Sending:
    """Remembers what was sent of whom; without a receiver nothing is."""

    def __init__(self, receiver: Receiver | None) -> None:
        self._receiver = receiver
        # (rule, entity) → start of the window and score of the last alert.
        self._last: dict[tuple[str, str], tuple[datetime, int]] = {}

    def begin(self, alerts: Sequence[Alert]) -> None:
        """Those that are within a cooldown now, as far as the table tells."""
        self._last = {}
        for alert in sorted(alerts, key=lambda one: one["window_start"]):
            self._remember(alert)

    def longest(self, rules: LiveRules) -> timedelta:
        """The longest cooldown."""
        return timedelta(microseconds=max((rule.cooldown_microseconds for rule in rules.rulebook.rules), default=0))

    def send(
        self, changed: Sequence[Alert], before: Mapping[str, Alert], again: Sequence[Alert], rulebook: Rulebook
    ) -> None:
        """Send what is new, worse or gone of `changed`, and `again`, of which nobody knows whether it was sent."""
        due = []
        for alert in sorted(changed, key=lambda one: one["window_start"]):
            if self._is_due(alert, before.get(alert["alert_id"]), rulebook):
                due.append(alert)
                self._remember(alert)
        ids = {alert["alert_id"] for alert in due}
        unsure = [alert | {"is_gone": False} for alert in again if alert["alert_id"] not in ids]
        for alert in unsure:
            self._remember(alert)
        active = [alert for alert in (*due, *unsure) if alert["state"] == "active"]
        if active and self._receiver:
            self._receiver.send(active)

    def _is_due(self, alert: Alert, before: Alert | None, rulebook: Rulebook) -> bool:
        if alert["is_gone"] or (before is not None and alert["score"] > before["score"]):
            return True
        return before is None and not self._is_cooling(alert, rulebook)

    def _is_cooling(self, alert: Alert, rulebook: Rulebook) -> bool:
        last = self._last.get((alert["rule_id"], alert["entity"]))
        rule = next(rule for rule in rulebook.rules if rule.id == alert["rule_id"])
        if last is None or alert["score"] > last[1]:
            return False
        since: timedelta = alert["window_start"] - last[0]
        # Of two windows that overlap, either may be the first to fire.
        overlap = timedelta(microseconds=max(rule.shifts))
        return -overlap <= since < timedelta(microseconds=rule.cooldown_microseconds)

    def _remember(self, alert: Alert) -> None:
        name = (alert["rule_id"], alert["entity"])
        if name not in self._last or self._last[name][0] <= alert["window_start"]:
            self._last[name] = (alert["window_start"], alert["score"])
