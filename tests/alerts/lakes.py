"""Silver rows with good defaults, and a lake that alerts follow; without Spark."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from jobs.alerts.evidence import alerts_of
from jobs.alerts.rulebook import LiveRules, read_rulebook
from jobs.alerts.sending import Sending
from jobs.alerts.silver_rows import rows_between
from jobs.alerts.writing import AlertWriter
from jobs.lake import Lake
from schemas.tables import SILVER
from tests.builders import put_rows

RULES = """
- id: fan_out
  version: 1
  state: active
  owner: tests
  entity: payer
  window: 1 hour
  measure: distinct_payees
  bands:
    - {name: two, at_least: 2, severity: medium, score: 200}
    - {name: four, at_least: 4, severity: high, score: 400}
  explanation: "{distinct_payees} payees within {window}"
  typologies: {fan_out: 100}
  examples:
    - {name: two, given: [{from: a, to: "p{n}", amount: 1, times: 2}], expect: two}
    - {name: one, given: [{from: a, to: b, amount: 1}], expect: silent}
- id: passed
  version: 2
  state: shadow
  owner: tests
  entity: payee
  window: 1 day
  measure: passed_percent
  requires: [{measure: passed_percent, at_most: 100}]
  bands: [{name: most, at_least: 80, severity: low, score: 100}]
  explanation: "{passed_percent} % passed"
  typologies: {rapid_in_out: 100}
  examples:
    - {name: all, given: [{from: a, to: b, amount: 5}, {from: b, to: c, amount: 5}], expect: most}
    - {name: none, given: [{from: a, to: b, amount: 5}], expect: silent}
- id: large
  version: 1
  state: active
  owner: tests
  scope: row
  entity: payer
  measure: amount
  bands: [{name: large, at_least: {UGX: 1000000}, severity: low, score: 100}]
  explanation: "{amount} {currency}"
  typologies: {limit_breach: 100}
  examples:
    - {name: large, given: [{from: a, to: b, amount: 1000000}], expect: large}
    - {name: small, given: [{from: a, to: b, amount: 999999}], expect: silent}
"""
OVERLAPPING = """
- id: fan_in
  version: 1
  state: active
  owner: tests
  entity: payee
  window: 1 day
  every: 12 hours
  measure: distinct_payers
  bands: [{name: two, at_least: 2, severity: low, score: 100}]
  cooldown: 1 day
  explanation: "{distinct_payers} payers within {window}"
  typologies: {fan_in: 100}
  examples:
    - {name: two, given: [{from: "p{n}", to: b, amount: 1, times: 2}], expect: two}
    - {name: one, given: [{from: a, to: b, amount: 1}], expect: silent}
- id: often
  version: 1
  state: active
  owner: tests
  entity: payer
  window: 10 minutes
  every: 5 minutes
  measure: count_out
  bands: [{name: two, at_least: 2, severity: low, score: 100}]
  explanation: "{count_out} payments within {window}"
  typologies: {velocity: 100}
  examples:
    - {name: two, given: [{from: a, to: b, amount: 1, times: 2}], expect: two}
    - {name: one, given: [{from: a, to: b, amount: 1}], expect: silent}
"""
HISTORY = """
- id: exceptional
  version: 1
  state: active
  owner: tests
  entity: payer
  window: 1 day
  measure: times_usual
  bands: [{name: ten, at_least: 10, severity: low, score: 100}]
  requires: [{measure: usual_count, at_least: 3}]
  explanation: "{times_usual} times the largest of {usual_count}"
  typologies: {exceptional_amount: 100}
  examples:
    - {name: ten, given: [{from: a, to: b, amount: 1, times: 3, days_before: 1}, {from: a, to: b, amount: 10}], expect: ten}
    - {name: new, given: [{from: a, to: b, amount: 10}], expect: silent}
"""
STRANGERS = """
- id: stranger
  version: 1
  state: active
  owner: tests
  entity: payer
  window: 1 day
  measure: unfamiliar_payees
  bands: [{name: one, at_least: 1, severity: low, score: 100}]
  requires: [{measure: unfamiliar_sum, at_least: {UGX: 1}}]
  explanation: "{unfamiliar_sum} to {unfamiliar_payees} strangers"
  typologies: {exceptional_amount: 100}
  examples:
    - {name: new, given: [{from: a, to: b, amount: 1, days_before: 1}, {from: a, to: c, amount: 1}], expect: one}
    - {name: known, given: [{from: a, to: b, amount: 1, days_before: 1}, {from: b, to: a, amount: 1}], expect: silent}
"""
EVER = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


def paid(reference: str, sender: str, to: str, at: str, amount: str = "1000", **changes: Any) -> dict[str, Any]:
    """A row of silver: a completed transfer between two persons on 27 March 2026, or at a time with its day."""
    time = datetime.fromisoformat(at if "T" in at else f"2026-03-27T{at}").replace(tzinfo=UTC)
    return {
        "transaction_reference": reference,
        "status": "completed",
        "transaction_type": "transfer",
        "amount": Decimal(amount),
        "currency": "UGX",
        "debit_party": f"msisdn:{sender}",
        "credit_party": f"msisdn:{to}",
        "debit_token": sender,
        "credit_token": to,
        "event_time": time,
        "event_date": time.date(),
    } | changes


@dataclass
class Inbox:
    """What was sent, in place of a topic of Kafka's."""

    received: list[tuple[str, str | None]] = field(default_factory=list)
    is_down: bool = False

    def send(self, alerts: Any) -> None:
        """Note rule and band of each; None for one that is taken back."""
        if self.is_down:
            raise ConnectionError
        self.received += [(alert["rule_id"], None if alert["is_gone"] else alert["band"]) for alert in alerts]


@dataclass
class Followed:
    """A lake whose silver is written with `write`, and alerts that follow it."""

    lake: Lake
    rules: Path
    inbox: Inbox = field(default_factory=Inbox)

    def __post_init__(self) -> None:
        self.lake.create()
        self.rules.mkdir()
        (self.rules / "rules.yaml").write_text(RULES)
        self.start()

    def start(self, sending: Sending | None = None) -> None:
        """As a new process would; alerts go to the inbox unless it is said otherwise."""
        self.writer = AlertWriter(self.lake, LiveRules(self.rules), "10 minutes", sending or Sending(self.inbox))

    def write(self, *rows: dict[str, Any]) -> None:
        """One commit of silver, and the alerts of it."""
        put_rows(self.lake, SILVER, *rows)
        self.carry()

    def carry(self) -> None:
        """Until there is nothing new."""
        while self.writer.carry():
            pass

    def alerts(self) -> list[dict[str, Any]]:
        """The table, without the history of its writing."""
        return in_order(self.lake.query("SELECT * FROM alerts").to_pylist())

    def of_all_of_silver(self) -> list[dict[str, Any]]:
        """The alerts that the rules make of silver as a whole."""
        (rows,) = rows_between(self.lake, EVER)
        return in_order(alerts_of(rows, read_rulebook(self.rules)).to_pylist())

    def found(self) -> list[tuple[Any, ...]]:
        """Rule, entity and band of each alert."""
        return sorted((alert["rule_id"], alert["entity"], alert["band"]) for alert in self.alerts())


def in_order(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Alerts in an order of their own, without the columns that tell of their writing."""
    shown = [{name: value for name, value in one.items() if name not in ("raised_at", "revision")} for one in alerts]
    return sorted(shown, key=lambda one: one["alert_id"])
