"""What the producer lets pass and what it refuses."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from producers.contract import Contract, Reason
from producers.wire import RawRecord, WireRecord

AMOUNTS = json.loads((Path(__file__).parent.parent / "gsma_amounts.json").read_text())
GSMA: dict[str, Any] = {
    "transactionReference": "R1",
    "transactionStatus": "completed",
    "type": "transfer",
    "amount": "12.30",
    "currency": "UGX",
    "debitParty": [{"key": "msisdn", "value": "+256 777 123456"}, {"key": "walletid", "value": "w"}],
    "creditParty": [{"key": "msisdn", "value": "256777123457"}],
    "creationDate": "2023-04-19T12:00:00Z",
}
DUMMY = (
    '{"transaction_id": "t1", "sender_phone_number": "256777123456", "receiver_phone_number": "256777123457",'
    ' "transaction_amount": 100000, "transaction_time": "2023-04-19 12:00:00"}'
)


def check(text: str | bytes, record_format: Any = "auto") -> WireRecord | list[Reason]:
    raw = text if isinstance(text, bytes) else text.encode()
    return Contract("Africa/Kampala", record_format).check(RawRecord(7, raw))


def gsma(**changes: Any) -> str:
    return json.dumps({name: value for name, value in {**GSMA, **changes}.items() if value is not None})


def refused(text: str | bytes, record_format: Any = "auto") -> list[Reason]:
    reasons = check(text, record_format)
    assert isinstance(reasons, list)
    return reasons


def accepted(text: str | bytes) -> WireRecord:
    record = check(text)
    assert isinstance(record, WireRecord), record
    return record


@pytest.mark.parametrize("case", AMOUNTS, ids=[case["amount"] for case in AMOUNTS])
def test_the_golden_amounts_of_gsma_are_told_apart_in_a_transaction(case: dict[str, Any]) -> None:
    assert isinstance(check(gsma(amount=case["amount"])), WireRecord) == case["valid"]


@pytest.mark.parametrize("rest", ["", ', "note": "a\\nb"', ', "customData": {"transaction_amount": 1}'])
@pytest.mark.parametrize("case", AMOUNTS, ids=[case["amount"] for case in AMOUNTS])
def test_the_golden_amounts_of_gsma_are_told_apart_in_a_dummy_record(case: dict[str, Any], rest: str) -> None:
    text = DUMMY.replace("100000", case["amount"] + rest)
    assert isinstance(check(text), WireRecord) == case["valid"]


def test_there_are_eighteen_golden_amounts_of_both_kinds() -> None:
    assert (len(AMOUNTS), len({case["amount"] for case in AMOUNTS})) == (18, 18)
    assert {case["valid"] for case in AMOUNTS} == {True, False}


@pytest.mark.parametrize("amount", ["5\n", " 5", "٥", "5.5.5", "NaN", ""])
def test_an_amount_with_anything_beside_its_digits_is_refused(amount: str) -> None:
    assert [reason.path for reason in refused(gsma(amount=amount))] == ["/amount"]


def test_a_record_goes_as_the_very_text_it_was() -> None:
    text = DUMMY.replace("100000", "12.30").replace('", "', '" ,\t"')
    assert accepted(text) == WireRecord(
        b"256777123456", text.encode(), datetime.fromisoformat("2023-04-19T12:00:00+03:00"), 7
    )


def test_the_key_is_the_first_debit_party_and_the_time_the_last_change() -> None:
    record = accepted(gsma(modificationDate="2023-04-19T15:00:01.5+03:00"))
    assert record.key == b"256777123456"
    assert record.event_time == datetime(2023, 4, 19, 12, 0, 1, 500000, tzinfo=UTC)
    assert record.event_time.utcoffset() == timedelta(hours=3)


def test_an_unknown_field_status_and_sub_type_pass() -> None:
    accepted(gsma(transactionStatus="doubtful", subType="p2p-new", loyalty={"points": 5}))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"type": "loan"}, "/type"),
        ({"currency": "ugx"}, "/currency"),
        ({"amount": 12.3}, "/amount"),
        ({"debitParty": []}, "/debitParty"),
        ({"creditParty": [{"key": "msisdn", "value": "12"}]}, "/creditParty/0/value"),
        ({"creationDate": "2023-02-30T12:00:00Z"}, "/creationDate"),
        ({"creationDate": "2023-04-19T12:00:00"}, "/creationDate"),
        ({"creationDate": None}, ""),
        ({"transactionReference": None}, ""),
    ],
)
def test_each_broken_rule_is_named_by_its_place(changes: dict[str, Any], path: str) -> None:
    assert path in [reason.path for reason in refused(gsma(**changes))]


def test_all_reasons_of_a_record_are_given_and_none_shows_its_values() -> None:
    reasons = refused(gsma(amount="-1", currency="shilling", debitParty=[{"key": "msisdn", "value": "0777secret"}]))
    assert {reason.path for reason in reasons} == {"/amount", "/currency", "/debitParty/0/value"}
    assert not any(value in reason.reason for reason in reasons for value in ("-1", "shilling", "0777secret"))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (gsma().replace('"amount": "12.30"', '"amount": "12.30", "amount": "99"'), "/amount"),
        (gsma().replace('"amount": "12.30"', '"amount": "12.30", "am\\u006funt": "99"'), "/amount"),
        (DUMMY.replace("100000", '1, "transaction_amount": 100000'), "/transaction_amount"),
        (DUMMY.replace("100000", '1, "sender_phone_number": "256777000000"'), "/sender_phone_number"),
    ],
)
def test_a_field_that_is_there_twice_is_refused(text: str, path: str) -> None:
    assert refused(text) == [Reason(path, "is there more than once")]


def test_a_name_that_is_repeated_deeper_or_as_a_value_is_no_repetition() -> None:
    accepted(gsma(metadata=[{"key": "amount", "value": "type"}], extra={"amount": "x", "currency": 1}))
    accepted(DUMMY.replace("100000", '5, "customData": {"transaction_amount": 1e3}'))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "5",
        "[]",
        '"x"',
        "{}",
        '{"a": 1',
        DUMMY + DUMMY,
        DUMMY + " junk",
        "[" * 3000,
        '{"a": NaN}',
        b"\xff\xfe{}",
    ],
)
def test_what_is_no_record_is_refused(text: str | bytes) -> None:
    assert refused(text)


def test_a_record_nested_too_deeply_is_refused_and_not_a_crash() -> None:
    for depth in (260, 900, 1010, 100_000):
        nested = "[" * depth + "]" * depth
        check(DUMMY.replace("100000", f'5, "note": "\\n", "deep": {nested}'))
        check(gsma()[:-1] + f', "deep": {nested}}}')
        assert refused(gsma(amount="-1")[:-1] + f', "deep": {nested}}}')
    assert refused(DUMMY.replace("100000", f'5, "deep": {"[" * 100_000 + "]" * 100_000}'))


def test_only_the_format_that_was_asked_for_passes() -> None:
    assert isinstance(check(DUMMY, "dummy"), WireRecord)
    assert isinstance(check(gsma(), "gsma"), WireRecord)
    assert refused(DUMMY, "gsma") == [Reason("", "the record is of format dummy, not gsma")]
    assert refused(gsma(), "dummy") == [Reason("", "the record is of format gsma, not dummy")]


def test_what_could_not_be_read_is_refused_with_its_problem() -> None:
    assert Contract("UTC").check(RawRecord(1, b"[", "the array breaks")) == [Reason("", "the array breaks")]
