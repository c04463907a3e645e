"""What a record's text says, read by Python's own decoder: a third reader, which rounds nothing and sees repeats."""

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

DATES = ("modificationDate", "creationDate", "requestDate")
KAMPALA = ZoneInfo("Africa/Kampala")
LISTS = ("debitParty", "creditParty", "fees")
# A level less and the stream takes it for a text, a level more and the record is no JSON to it.
DEEPEST = 998

# A level of nesting is a call.
sys.setrecursionlimit(20_000)


class Number(str):
    """A JSON number as it is written."""


@dataclass(frozen=True)
class Reading:
    """What the text says of what matters: money, keys and time; the last readable one where a field is repeated."""

    fields: dict[str, Any]
    repeated: frozenset[str]

    @property
    def is_dummy(self) -> bool:
        """Whether it is the short record."""
        return self.fields.get("transactionReference") is None and self.fields.get("transaction_id") is not None

    def columns(self) -> dict[str, Any]:
        """The stream's columns, as they must be if the record is accepted; null is what need not be that exact."""
        return self._dummy() if self.is_dummy else self._transaction()

    def _transaction(self) -> dict[str, Any]:
        fields = self.fields
        # A list is no date: the stream has passed over it where it was nested too deeply to be read.
        time = next((fields[name] for name in DATES if isinstance(fields.get(name), str)), "")
        return {
            "transaction_reference": fields["transactionReference"],
            "currency": fields["currency"],
            "amount": Decimal(fields["amount"]),
            "fee_amount": _fees(fields.get("fees"), fields["currency"]),
            "debit_party": _party(fields["debitParty"]),
            "credit_party": _party(fields["creditParty"]),
            "event_time": datetime.fromisoformat(time).astimezone(UTC),
        }

    def _dummy(self) -> dict[str, Any]:
        fields = self.fields
        return {
            "transaction_reference": fields["transaction_id"],
            "currency": "UGX",
            "amount": Decimal(fields["transaction_amount"]),
            "fee_amount": _fees(fields.get("fees"), "UGX"),
            "debit_party": _phone(fields["sender_phone_number"]),
            "credit_party": _phone(fields["receiver_phone_number"]),
            "event_time": datetime.fromisoformat(fields["transaction_time"]).replace(tzinfo=KAMPALA).astimezone(UTC),
        }


def read(raw: bytes) -> Reading:
    """Read a record that somebody took for a JSON object; raises `ValueError` for what is none."""
    pairs = json.loads(
        raw.decode(), object_pairs_hook=_Pairs, parse_int=Number, parse_float=Number, parse_constant=_refuse
    )
    if not isinstance(pairs, _Pairs):
        raise ValueError("no object")
    counts = Counter(name for name, _ in pairs)
    readable = _Pairs(p for p in pairs if counts[p[0]] == 1 or _is_readable(*p))
    return Reading(_plain(readable), frozenset(name for name, count in counts.items() if count > 1))


class _Pairs(list[tuple[str, Any]]):
    """An object as the list of its fields, repeats included."""


def _is_readable(name: str, value: Any) -> bool:
    """Of a field that is there twice, what cannot be read is passed over."""
    return _is_list_of_objects(value) if name in LISTS else _depth(value) < DEEPEST


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and value and not isinstance(value, _Pairs):
        value, depth = value[0], depth + 1
    return depth


def _is_list_of_objects(value: Any) -> bool:
    if value is None or isinstance(value, _Pairs):
        return value is None
    return isinstance(value, list) and all(one is None or isinstance(one, _Pairs) for one in value)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {name: _plain(inner) for name, inner in value}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _fees(fees: Any, currency: str) -> Decimal:
    return sum((Decimal(fee["feeAmount"]) for fee in fees or () if fee["feeCurrency"] == currency), Decimal(0))


def _party(identifiers: Any) -> str | None:
    key, value = identifiers[0]["key"], identifiers[0]["value"]
    if key == "msisdn":
        return _phone(value)
    return f"{key}:{value}" if isinstance(key, str) and isinstance(value, str) else None


def _phone(number: str) -> str:
    return "msisdn:" + re.sub(r"\A\+", "", number.replace(" ", ""))
