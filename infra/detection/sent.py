"""Which alerts somebody gets to see: those that are sent, as the stream would have sent them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from jobs.alerts.alert_table import Alert
from jobs.alerts.rulebook import Rule, Rulebook
from jobs.alerts.sending import Sending


@dataclass
class _Inbox:
    """Keeps the ids of what it gets."""

    ids: list[str] = field(default_factory=list)

    def send(self, alerts: Sequence[Alert]) -> None:
        """Note them."""
        self.ids += [alert["alert_id"] for alert in alerts]


def sent(alerts: pa.Table, rules: Sequence[Rule]) -> pa.Table:
    """Of an entity none within a rule's cooldown after another one, unless it is worse.

    Rules in shadow are treated as if they were active; of a rule that is not known any more all alerts are left.
    """
    known = pc.is_in(alerts["rule_id"], value_set=pa.array([rule.id for rule in rules], pa.string()))
    names = ["alert_id", "rule_id", "entity", "window_start", "score"]
    raised = alerts.filter(known).select(names).to_pylist()
    inbox = _Inbox()
    changed = [alert | {"state": "active", "is_gone": False} for alert in raised]
    Sending(inbox).send(changed, {}, [], Rulebook(tuple(rules)))
    is_sent = pc.is_in(alerts["alert_id"], value_set=pa.array(inbox.ids, pa.string()))
    return alerts.filter(pc.or_(is_sent, pc.invert(known)))
