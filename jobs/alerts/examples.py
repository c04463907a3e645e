"""A rule's own examples: a few transactions, and the band they reach or that the rule stays silent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from jobs.alerts.evidence import alerts_of
from jobs.alerts.facts import Facts
from jobs.alerts.rulebook import Event, Example, Rule, Rulebook
from jobs.settings import duration_seconds

_DAY = "2026-01-15"
_CURRENCY, _COUNTRY = "UGX", "UGA"
# Who is not a person, in front of the name.
_BUSINESSES = ("agent:", "shop:")
_SCHEMA = pa.schema(
    {
        **dict.fromkeys(("transaction_reference", "status", "transaction_type"), pa.string()),
        "amount": pa.decimal128(22, 4),
        **dict.fromkeys(("currency", "debit_party", "credit_party", "debit_token", "credit_token"), pa.string()),
        **dict.fromkeys(("agent_id", "debit_country", "credit_country"), pa.string()),
        "event_time": pa.timestamp("us", "UTC"),
    }
)


@dataclass(frozen=True)
class Outcome:
    """What became of an example: the band that was reached, or silent."""

    rule: str
    example: str
    expected: str
    found: str

    @property
    def is_right(self) -> bool:
        """As expected."""
        return self.expected == self.found


def outcomes(rules: Sequence[Rule], facts: Facts) -> Iterator[Outcome]:
    """All examples of these rules, paused ones too."""
    for rule in rules:
        for example in rule.examples:
            alerts = alerts_of(rows_of(example), Rulebook((rule,), facts)).to_pylist()
            band = max(alerts, key=lambda alert: alert["score"], default={"band": "silent"})["band"]
            yield Outcome(rule.id, example.name, example.expect, band)


def rows_of(example: Example) -> pa.Table:
    """The transactions as rows of silver, as far as rules see them."""
    rows = [row for i, event in enumerate(example.given) for row in _rows(event, f"T-{i}")]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _rows(event: Event, reference: str) -> Iterator[dict[str, Any]]:
    first = datetime.fromisoformat(f"{_DAY}T{event.at}").replace(tzinfo=UTC) - timedelta(days=event.days_before)
    for n in range(event.times):
        sender, to = event.sender.replace("{n}", str(n)), event.to.replace("{n}", str(n))
        agent = {"deposit": sender, "withdrawal": to}.get(event.type, "").removeprefix("agent:") or None
        yield {
            "transaction_reference": f"{reference}-{n}",
            "status": event.status,
            "transaction_type": event.type,
            "amount": Decimal(event.amount + n * event.add).quantize(Decimal("0.0001")),
            "currency": event.currency or _CURRENCY,
            "debit_party": _party(sender),
            "credit_party": _party(to),
            "debit_token": _token(sender),
            "credit_token": _token(to),
            "agent_id": agent,
            "debit_country": _COUNTRY if _token(sender) else "none",
            "credit_country": event.to_country or (_COUNTRY if _token(to) else "none"),
            "event_time": first + timedelta(seconds=n * duration_seconds(event.every)),
        }


def _party(name: str) -> str:
    return f"msisdn:{name}" if _token(name) else f"identityalias:{name}"


def _token(name: str) -> str | None:
    return None if name.startswith(_BUSINESSES) else name
