"""The good records that are spoiled: both formats, and the odd forms that are allowed."""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from jobs.settings import ROOT
from producers.malformed import ODDITIES, suits
from tests.builders import agent_cash, dummy, gsma

DATA = ROOT / "data" / "transactions.json"
OF_THE_DATA = 300


def corpus() -> list[bytes]:
    """Records as bytes, each time the same ones."""
    lines = DATA.read_bytes().splitlines()[1 : OF_THE_DATA + 1]
    return [*(line.strip().rstrip(b",") for line in lines), *_odd(), *_spelt()]


def _odd() -> Iterator[bytes]:
    """The malformed records of `momo produce --faults`."""
    event = gsma(fees=None)
    yield from (text for kind, oddity in ODDITIES.items() if suits(kind, event) and (text := oddity.text(event)))


def _spelt() -> Iterator[bytes]:
    """What few records have, each both compact and with blanks, as the two encoders of Python write it."""
    phone = [{"key": "msisdn", "value": "+256 777 123456"}, {"key": "walletid", "value": "w-1"}]
    fees = [{"feeType": "a", "feeAmount": amount, "feeCurrency": "UGX"} for amount in ("1", "2.50")]
    records: list[dict[str, Any]] = [
        gsma(),
        gsma(debitParty=phone, fees=fees),
        gsma(metadata={"channel": "app"}, modificationDate="2026-03-27T21:00:00.123+03:00"),
        gsma(type="reversal", originalTransactionReference="T-0", amount="12.30", currency="KES"),
        gsma(transactionReference="Überweisung \U0001f600 ?", descriptionText='a "quoted" \\ text\n'),
        gsma(extra={"amount": "5", "deep": [{"transactionReference": "x"}]}),
        agent_cash("deposit", "AG-1", "256777000001"),
        agent_cash("withdrawal", "AG-1?", "256777000001"),
        dummy(),
        dummy(transaction_amount=12.5, note="text"),
    ]
    for record in records:
        yield from (orjson.dumps(record), json.dumps(record).encode())
