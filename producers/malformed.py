"""Records that break exactly one rule of the stream, or none although they look odd; each made from a good event."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

Record = dict[str, Any]

DATES = ("creationDate", "modificationDate", "requestDate")


class Oddity(NamedTuple):
    """A kind of odd record: the rule it breaks, null when it is fit for silver, and its text, null for a null value."""

    rule: str | None
    text: Callable[[Record], bytes | None]


def with_other_amount(event: Record) -> bytes:
    """The same reference and status with one more or less: a conflict, whatever way the amount was written."""
    amount = Decimal(event["amount"])
    return orjson.dumps(event | {"amount": str(amount - 1 if amount >= 2 else amount + 1)})


def suits(kind: str, event: Record) -> bool:
    """Whether a good event has what the kind breaks: letters need a phone number."""
    return kind != "letters_in_msisdn" or any(_phone_numbers(event))


def _changed(**changes: object) -> Callable[[Record], bytes]:
    return lambda event: orjson.dumps(event | changes)


def _truncated(event: Record) -> bytes:
    text = orjson.dumps(event).decode()
    return text[: len(text) * 2 // 3].encode()


def _latin_1(event: Record) -> bytes:
    return orjson.dumps(event | {"descriptionText": "café"}).replace("café".encode(), "café".encode("latin-1"))


def _negative(event: Record) -> bytes:
    return orjson.dumps(event | {"amount": "-" + event["amount"]})


def _without_minor_unit(event: Record) -> bytes:
    """Without its fees, which may be in another currency."""
    return orjson.dumps(_without(event, "fees") | {"amount": "100.50", "currency": "UGX"})


def _without_reference(event: Record) -> bytes:
    return orjson.dumps(_without(event, "transactionReference"))


def _without(event: Record, name: str) -> Record:
    return {other: value for other, value in event.items() if other != name}


def _without_zone(event: Record) -> bytes:
    return orjson.dumps(event | {name: event[name][:19] for name in DATES if name in event})


def _in_2999(event: Record) -> bytes:
    return orjson.dumps(event | {name: "2999-01-01" + event[name][10:] for name in DATES if name in event})


def _with_letters(event: Record) -> bytes:
    """With O for 0 in the first phone number: one side only, or two numbers might become one."""
    side, number = next(_phone_numbers(event))
    return orjson.dumps(event | {side: [{"key": "msisdn", "value": number[:5] + "OO" + number[7:]}]})


def _phone_numbers(event: Record) -> Iterator[tuple[str, str]]:
    for side in ("debitParty", "creditParty"):
        yield from ((side, party["value"]) for party in event[side] if party["key"] == "msisdn")


def _to_himself(event: Record) -> bytes:
    return orjson.dumps(event | {"creditParty": event["debitParty"]})


ODDITIES = {
    "truncated": Oddity("not_one_json_object", _truncated),
    "trailing_junk": Oddity("not_one_json_object", lambda event: orjson.dumps(event) + b" junk"),
    "array": Oddity("not_one_json_object", lambda event: orjson.dumps([event])),
    "bad_utf8": Oddity("bad_utf8", _latin_1),
    "null_value": Oddity("null_value", lambda event: None),
    "negative_amount": Oddity("bad_amount", _negative),
    "too_precise_amount": Oddity("bad_amount", _changed(amount="5.55555")),
    "zero_amount": Oddity("zero_amount", _changed(amount="0")),
    "fraction_of_shilling": Oddity("too_many_decimals", _without_minor_unit),
    "no_reference": Oddity("missing_reference", _without_reference),
    "no_zone": Oddity("bad_event_time", _without_zone),
    "letters_in_msisdn": Oddity("bad_msisdn", _with_letters),
    "same_parties": Oddity("same_parties", _to_himself),
    "unknown_type": Oddity("unknown_type", _changed(type="lottery")),
    "future_dated": Oddity("future_event_time", _in_2999),
    "unknown_fields": Oddity(None, _changed(loyaltyPoints=12, device={"model": "unknown", "rooted": False})),
    "null_key": Oddity(None, orjson.dumps),
}
