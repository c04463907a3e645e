"""Transactions of a seed, with what must become of each: the reference says it, so that no rule of ours is asked."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.builders import agent_cash, gsma

# Nobody else's numbers begin so: one of them in a log is a leak.
PHONES = "25677700"
RAW = (b"{", b'{"a": "\xff"}', b"[]", b'{"transactionReference": "broken-raw"}')


def must_be_refused(value: bytes | None) -> bool:
    """Whether a record of the traffic belongs in quarantine."""
    return value is None or value in RAW or b'"broken-' in value


class Traffic:
    """Lines of a producer's file, chunk by chunk: repeats, contradictions, late ones and wrong ones among them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._number = 0
        self._told: list[dict[str, Any]] = []

    def lines(self, count: int) -> list[bytes]:
        """So many records, each one line; all pass the producer's check."""
        return [json.dumps(record).encode() for record in self._records(count)]

    def _records(self, count: int) -> Iterator[dict[str, Any]]:
        for _ in range(count):
            draw = self._random.random()
            if draw < 0.05 and self._told:
                yield self._random.choice(self._told)
            elif draw < 0.07 and self._told:
                yield self._random.choice(self._told) | {"amount": "123"}
            elif draw < 0.09:
                yield self._record("broken", amount="0")
            elif draw < 0.10:
                yield self._record("broken", creationDate="2999-01-01T00:00:00Z")
            else:
                self._told.append(self._record("good"))
                yield self._told[-1]

    def _record(self, kind: str, **changes: Any) -> dict[str, Any]:
        self._number += 1
        currency, digits = self._random.choice([("UGX", 0), ("KES", 2), ("KWD", 3)])
        amount = self._random.randint(1, 10**7)
        common = {
            "transactionReference": f"{kind}-{self._number}",
            "transactionStatus": self._random.choice(["completed", "completed", "pending", "failed"]),
            "amount": f"{amount // 10**digits}.{amount % 10**digits:0{digits}}" if digits else str(amount),
            "currency": currency,
            "fees": [{"feeType": "t", "feeAmount": str(self._random.randint(0, 99)), "feeCurrency": currency}],
            "creationDate": self._time(),
            "metadata": [{"key": "channel", "value": self._random.choice(["ussd", "app", "agent"])}],
        }
        return self._between_parties(common | changes)

    def _between_parties(self, common: dict[str, Any]) -> dict[str, Any]:
        kind = self._random.choice(["transfer", "deposit", "withdrawal"])
        payer, payee = (f"{PHONES}{self._random.randint(0, 4999) * 2 + odd:04}" for odd in (0, 1))
        if kind == "transfer":
            parties = {"debitParty": [{"key": "msisdn", "value": payer}]}
            return gsma(**common, **parties, creditParty=[{"key": "msisdn", "value": payee}])
        return agent_cash(kind, f"AG-{self._random.randint(1, 40)}", payer, **common)

    def _time(self) -> str:
        """Most are minutes old, one in fifty is late by hours or days."""
        late = self._random.random() < 0.02
        age = timedelta(minutes=self._random.uniform(90, 5000) if late else self._random.uniform(0, 4))
        return (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
