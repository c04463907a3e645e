"""What all adapters share: parties, amounts and times as GSMA writes them, and the event with its marks.

Whatever the source does not say is marked in the event's `metadata`, by the names of the lake's columns:
`assumed` is what settings supplied, `lacks` what nobody knows, `event_time_source` whose time the event has.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from producers.adapters.reading import Record, Refused, part, read_object, text

Party = list[dict[str, str]]

# The reference of a GSMA transaction, and that of the dummy record.
NATIVE_FIELDS = frozenset(("transactionReference", "transaction_id"))

# Stands for an organisation that neither the record nor the settings name.
UNKNOWN = "unknown"
# No keys of GSMA: silver has a token of their values, as of any person's.
HASH_KEY, MASKED_KEY = "msisdnhash", "msisdnmasked"

_HASH = re.compile(r"[0-9a-fA-F]{64}")
_MASKED = re.compile(r"[+]?[0-9 ]*[*xX#][0-9 *xX#]*")
_HOME_SPELLING = re.compile(r"0[1-9][0-9]{5,}")
_WITH_EXPONENT = re.compile(r"[0-9]+([.][0-9]+)?[eE][+-]?[0-9]{1,2}")


class Sent(NamedTuple):
    """A provider's record, and what its receiver kept beside it.

    `request` is what the record answers, empty where unknown; `received_at` is when it came, `reference_id` the
    identifier under which it was asked for; `began_at` is when this replay began.
    """

    callback: Record
    request: Record
    received_at: str | None
    reference_id: str | None
    began_at: datetime


def unwrapped(record: Record, began_at: datetime) -> Sent:
    """The record itself, or what is in `callback` with `request`, `received_at` and `reference_id` beside it.

    A record that the topic takes as it is wraps none, whatever its other fields are called.
    """
    if "callback" not in record or not NATIVE_FIELDS.isdisjoint(record):
        return Sent(record, {}, None, None, began_at)
    callback, request = (_object(record, name) for name in ("callback", "request"))
    return Sent(callback, request, text(record, "received_at"), text(record, "reference_id"), began_at)


def _object(record: Record, name: str) -> Record:
    """A column of a table has the object as text."""
    value = record.get(name)
    if not isinstance(value, str) or not value:
        return part(record, name)
    read, repeated = read_object(value)
    if repeated:
        raise Refused(f"/{name}", f"has '{repeated[0]}' more than once")
    return read


def phone(number: str | None, calling_code: str) -> Party | None:
    """The party of a phone number; a hashed or a masked one is called that, and never passes as a number.

    A number as it is dialled at home, 0722…, gets the calling code, where there is one.
    """
    if number is None:
        return None
    if _HASH.fullmatch(number):
        return [{"key": HASH_KEY, "value": number.lower()}]
    if _MASKED.fullmatch(number):
        return [{"key": MASKED_KEY, "value": number}]
    digits = number.replace(" ", "")
    if calling_code and _HOME_SPELLING.fullmatch(digits):
        digits = calling_code + digits[1:]
    return [{"key": "msisdn", "value": digits}]


def organisation(identifier: str | None) -> Party:
    """The party of a till, a pay bill or a company."""
    return [{"key": "organisationid", "value": identifier or UNKNOWN}]


def amount(number: str | None) -> str | None:
    """The amount as it is written; one with an exponent is written out, to the last digit."""
    if number is not None and _WITH_EXPONENT.fullmatch(number):
        return f"{Decimal(number):f}"
    return number


def wall_clock(record: Mapping[str, Any], name: str, form: str, time_zone: str) -> str | None:
    """A time without a zone as RFC 3339 with that zone; null for none. Raises `Refused` for one of another form."""
    value = text(record, name)
    if value is None:
        return None
    try:
        moment = datetime.strptime(value, form)
    except ValueError:
        moment = None
    # strptime also takes 1:02 for 01:02, and 13 digits for 14.
    if moment is None or moment.strftime(form) != value:
        raise Refused(f"/{name}", "is no time of the provider's form")
    return moment.replace(tzinfo=ZoneInfo(time_zone)).isoformat()


def arrival(sent: Sent) -> tuple[str, str]:
    """For a record without a time: when it was received, else when the replay began, and which of both it is.

    The replay's own time is the same after --resume, so that a record that is sent twice stays the same record.
    """
    if sent.received_at:
        return sent.received_at, "received_at"
    return sent.began_at.isoformat(timespec="milliseconds"), "ingest"


def event(
    fields: Mapping[str, Any], source: str, time_source: str, assumed: Iterable[str], notes: Mapping[str, str | None]
) -> Record:
    """The canonical event: `fields` that are not null, and the marks, the channel first: the stream looks there."""
    known = {name: value for name, value in fields.items() if value is not None}
    marks = {
        "channel": notes.get("channel"),
        "source_format": source,
        "event_time_source": time_source,
        "assumed": ",".join(assumed),
        "lacks": ",".join(_lacking(known, time_source, notes)),
        **notes,
    }
    return {**known, "metadata": [{"key": key, "value": value} for key, value in marks.items() if value]}


def _lacking(known: Mapping[str, Any], time_source: str, notes: Mapping[str, str | None]) -> Iterable[str]:
    if "fees" not in known:
        yield "fee_amount"
    for side in ("debit", "credit"):
        party = known.get(f"{side}Party", [{"key": "", "value": ""}])[0]
        if party == organisation(None)[0]:
            yield f"{side}_party"
        if party["key"] in (HASH_KEY, MASKED_KEY):
            yield f"{side}_msisdn"
    if "reference_source" in notes:
        yield "transaction_reference"
    if time_source in ("received_at", "ingest"):
        yield "event_time"
    if not notes.get("channel"):
        yield "channel"
