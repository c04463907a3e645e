"""Check records against the wire contract, `schemas/transaction_event.json`, before they are sent."""

import json
import re
from collections import Counter
from datetime import datetime
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import jsonschema_rs
import orjson

from jobs.settings import ROOT
from producers.wire import RawRecord, WireRecord

SCHEMA_FILE = ROOT / "schemas" / "transaction_event.json"
RecordFormat = Literal["auto", "gsma", "dummy"]

_DUMMY_AMOUNT = re.compile(rb'"transaction_amount"\s*:\s*([^\s,}]+)')


class Reason(NamedTuple):
    """Why a record is refused; `path` is the JSON pointer of the part at fault, "" for the record as a whole."""

    path: str
    reason: str


_TOO_DEEP = Reason("", "nested too deeply")


class Contract:
    """The wire contract. Reasons name fields and rules, never values: they may be logged."""

    def __init__(self, dummy_time_zone: str, record_format: RecordFormat = "auto") -> None:
        """`dummy_time_zone` is that of the dummy record's times; `record_format` is the only one to be accepted."""
        schema = json.loads(SCHEMA_FILE.read_text())
        transaction, dummy = schema["$defs"]["transaction"], schema["$defs"]["dummy"]
        self._validator = jsonschema_rs.validator_for(schema, validate_formats=True, mask="the value")
        self._amount = re.compile(schema["$defs"]["amount"]["pattern"].encode())
        self._times = [name for option in transaction["anyOf"] for name in option["required"]]
        self._dummy_names = _quoted(dummy["required"])
        self._transaction_names = _quoted([*transaction["required"], *self._times])
        self._zone = ZoneInfo(dummy_time_zone)
        self._format = record_format

    def check(self, record: RawRecord) -> WireRecord | list[Reason]:
        """The record as it goes to Kafka, or every reason to refuse it.

        Amounts are judged by their text: 1e3, 5.55555 and 19 digits are told from what a double makes of them. A field
        that is there twice is refused, for readers differ in which one counts. A zero amount passes.
        """
        if record.problem:
            return [Reason("", record.problem)]
        try:
            event = orjson.loads(record.raw)
        except orjson.JSONDecodeError as problem:
            return [Reason("", f"not JSON: {problem}")]
        if not self._validator.is_valid(event):
            return self._broken_rules(event)
        is_dummy = "transactionReference" not in event
        # A text that its own fields give again has none of them twice; most records are written as plainly as that.
        is_plain = not is_dummy and _written_again(event) == record.raw
        reasons = self._unwanted(is_dummy) or ([] if is_plain else self._misleading_text(record.raw, is_dummy))
        return reasons or self._wire_record(record, event, is_dummy)

    def _wire_record(self, record: RawRecord, event: dict[str, Any], is_dummy: bool) -> WireRecord:
        if is_dummy:
            payer, time = event["sender_phone_number"], _instant(event["transaction_time"])
            return WireRecord(_key(payer), record.raw, time and time.replace(tzinfo=self._zone), record.line)
        for name in self._times:
            if name in event:
                break
        return WireRecord(_key(event["debitParty"][0]["value"]), record.raw, _instant(event[name]), record.line)

    def _broken_rules(self, event: Any) -> list[Reason]:
        try:
            return [
                Reason("".join(f"/{part}" for part in error.instance_path), self._said(error))
                for error in self._validator.iter_errors(event)
            ]
        # The validator finds an error at any depth, but copies a few hundred levels at most to tell it.
        except ValueError:
            return [_TOO_DEEP]

    def _said(self, error: jsonschema_rs.ValidationError) -> str:
        return f"one of {', '.join(self._times)} is required" if error.schema_path[-1] == "anyOf" else error.message

    def _unwanted(self, is_dummy: bool) -> list[Reason]:
        found = "dummy" if is_dummy else "gsma"
        wanted = self._format
        return [] if wanted in ("auto", found) else [Reason("", f"the record is of format {found}, not {wanted}")]

    def _misleading_text(self, raw: bytes, is_dummy: bool) -> list[Reason]:
        # A name that stands once in a text without escapes is the field itself: no need to parse it again.
        if b"\\" in raw:
            return self._misleading_fields(raw, is_dummy)
        for name in self._dummy_names if is_dummy else self._transaction_names:
            if raw.count(name) > 1:
                return self._misleading_fields(raw, is_dummy)
        found = _DUMMY_AMOUNT.search(raw) if is_dummy else None
        return self._inexact(found.group(1)) if found else []

    def _misleading_fields(self, raw: bytes, is_dummy: bool) -> list[Reason]:
        try:
            # Lists of pairs instead of objects keep repeated names, `str` keeps each number's text.
            fields = json.loads(raw, object_pairs_hook=list, parse_int=str, parse_float=str)
        except RecursionError:
            return [_TOO_DEEP]
        counts = Counter(name for name, _ in fields)
        names = self._dummy_names if is_dummy else self._transaction_names
        repeated = [
            Reason(f"/{name}", "is there more than once")
            for name, count in counts.items()
            if count > 1 and f'"{name}"'.encode() in names
        ]
        return repeated or (self._inexact(dict(fields)["transaction_amount"].encode()) if is_dummy else [])

    def _inexact(self, amount: bytes) -> list[Reason]:
        if self._amount.fullmatch(amount):
            return []
        return [Reason("/transaction_amount", "is written with other than at most 18 digits and 4 decimals")]


def _written_again(event: dict[str, Any]) -> bytes | None:
    try:
        return orjson.dumps(event)
    # orjson writes fewer levels of nesting than it reads.
    except orjson.JSONEncodeError:
        return None


def _quoted(names: list[str]) -> list[bytes]:
    return [f'"{name}"'.encode() for name in names]


def _instant(text: str) -> datetime | None:
    """The time as written; null for a day or an hour that does not exist, which the stream's own rules judge."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _key(payer: str) -> bytes:
    """One spelling of `+256 777 123456` and `256777123456`, so that the events of a payer stay in order."""
    return payer.replace(" ", "").removeprefix("+").encode()
