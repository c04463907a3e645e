"""Records of other formats as canonical events: golden samples, and what must never happen to money, time and numbers."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import SettingsError
from jobs.settings import Settings, load_settings
from producers.adapters.translation import NATIVE, SourceFormat, Translator
from producers.contract import Contract, Reason
from producers.wire import RawRecord, WireRecord

SAMPLES = Path(__file__).parent / "samples"
INPUTS = sorted(SAMPLES.glob("*.input.json"))
BARE = load_settings(environment={})
SETTINGS = load_settings(
    environment={},
    daraja__short_code="600000",
    mtn__organisation="our-shop",
    airtel__organisation="our-shop",
    airtel__country="UG",
    airtel__currency="UGX",
)
BEGAN_AT = datetime(2026, 3, 27, 6, 0, 0, 123000, tzinfo=UTC)
C2B = (SAMPLES / "daraja_c2b_paybill.input.json").read_text()


def translate(
    text: str | bytes, record_format: SourceFormat = "auto", settings: Settings = SETTINGS
) -> RawRecord | list[Reason]:
    raw = text if isinstance(text, bytes) else text.encode()
    return Translator(record_format, settings, BEGAN_AT).translate(RawRecord(7, raw))


def event(text: str | bytes, settings: Settings = SETTINGS) -> dict[str, Any]:
    translated = translate(text, settings=settings)
    assert isinstance(translated, RawRecord), translated
    return json.loads(translated.raw)


def marks(event: dict[str, Any]) -> dict[str, str]:
    return {entry["key"]: entry["value"] for entry in event["metadata"]}


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(C2B), **changes})


def case_of(path: Path) -> str:
    return path.name.removesuffix(".input.json")


@pytest.mark.parametrize("path", INPUTS, ids=case_of)
def test_a_sample_becomes_the_event_or_the_refusal_beside_it(path: Path) -> None:
    translated = translate(path.read_text())
    if isinstance(translated, RawRecord):
        assert json.loads(translated.raw) == json.loads(path.with_name(f"{case_of(path)}.event.json").read_text())
    else:
        refused = json.loads(path.with_name(f"{case_of(path)}.refused.json").read_text())
        assert [reason._asdict() for reason in translated] == refused


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.event.json")), ids=lambda path: path.name)
def test_an_event_keeps_the_wire_contract_and_holds_neither_name_nor_secret_nor_free_text(path: Path) -> None:
    checked = Contract("UTC", "gsma").check(RawRecord(1, path.read_bytes()))
    assert isinstance(checked, WireRecord), checked
    assert checked.key and checked.event_time
    assert not any(word in path.read_text() for word in ("NAME", "secret", "free text", "Paid", "cancelled"))


@pytest.mark.parametrize("path", INPUTS, ids=case_of)
def test_auto_and_the_name_of_the_format_say_the_same(path: Path) -> None:
    own: Any = path.name.partition("_")[0]
    assert translate(path.read_text(), own) == translate(path.read_text(), "auto")


@pytest.mark.parametrize("path", INPUTS, ids=case_of)
def test_a_record_of_another_format_than_the_one_that_was_asked_for_is_refused(path: Path) -> None:
    for other in {"daraja", "mtn", "airtel", "paysim"} - {path.name.partition("_")[0]}:
        assert translate(path.read_text(), other) == [Reason("", f"the record is not of format {other}")]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("12.30", "12.30"),
        ("0.1", "0.1"),
        ("99999999999999999.9999", "99999999999999999.9999"),
        ("1e3", "1000"),
        ("1.25E1", "12.5"),
        ("123456789012345678E-4", "12345678901234.5678"),
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_an_amount_keeps_its_digits_whether_it_is_a_number_or_a_text(quote: str, amount: str, expected: str) -> None:
    assert event(C2B.replace('"1250.50"', f"{quote}{amount}{quote}"))["amount"] == expected


@pytest.mark.parametrize("amount", ["-5", "1,000", "5.55555", "1e400", "٥", "NaN", "0x10"])
def test_an_amount_that_is_none_is_left_to_the_check_which_refuses_it(amount: str) -> None:
    translated = translate(changed(TransAmount=amount))
    assert isinstance(translated, RawRecord)
    reasons = Contract("UTC").check(translated)
    assert isinstance(reasons, list)
    assert [reason.path for reason in reasons] == ["/amount"]


@pytest.mark.parametrize("field", ["TransID", "TransAmount", "MSISDN", "TransTime"])
def test_a_record_without_a_field_that_matters_is_refused_by_translation_or_check(field: str) -> None:
    for empty in (None, ""):
        translated = translate(changed(**{field: empty}))
        assert isinstance(translated, RawRecord)
        assert isinstance(Contract("UTC").check(translated), list)


@pytest.mark.parametrize("field", ["TransID", "TransAmount", "MSISDN", "TransTime", "BusinessShortCode"])
@pytest.mark.parametrize("value", [True, {"a": 1}, ["x"]], ids=str)
def test_a_field_that_is_neither_text_nor_number_is_refused(field: str, value: Any) -> None:
    assert translate(changed(**{field: value})) == [Reason(f"/{field}", "is neither text nor number")]


@pytest.mark.parametrize("time", ["2026032710545", "202603271054570", "20260327 10547", "27.03.2026 10:54:57", "now"])
def test_a_time_of_another_form_is_refused_and_not_guessed(time: str) -> None:
    assert translate(changed(TransTime=time)) == [Reason("/TransTime", "is no time of the provider's form")]


def test_a_wall_clock_has_the_zone_of_the_settings() -> None:
    elsewhere = load_settings(environment={}, daraja__time_zone="Africa/Maputo", daraja__currency="MZN")
    assert event(C2B)["creationDate"] == "2026-03-27T10:54:57+03:00"
    assert event(C2B, elsewhere)["creationDate"] == "2026-03-27T10:54:57+02:00"
    assert event(C2B, elsewhere)["currency"] == "MZN"
    with pytest.raises(SettingsError, match=r"daraja\.time_zone"):
        load_settings(environment={}, daraja__time_zone="Nairobi")


@pytest.mark.parametrize("number", ["a" * 64, "0722000***", "25472200xxxx", "#########", "2547XXXXX126"])
def test_a_hashed_or_masked_number_is_never_a_phone_number(number: str) -> None:
    party = event(changed(MSISDN=number))["debitParty"][0]
    assert party["key"] in ("msisdnhash", "msisdnmasked")
    assert "debit_msisdn" in marks(event(changed(MSISDN=number)))["lacks"].split(",")


def test_what_the_settings_leave_open_is_unknown_and_said_to_be_lacking() -> None:
    for name in ("daraja_stk_paid", "mtn_collection_successful", "airtel_paid"):
        told = event((SAMPLES / f"{name}.input.json").read_text(), BARE)
        assert told["creditParty"] == [{"key": "organisationid", "value": "unknown"}]
        assert "credit_party" in marks(told)["lacks"].split(",")
        assert "credit_party" not in marks(told).get("assumed", "").split(",")


def test_a_record_without_a_time_has_that_of_the_replay_and_says_so() -> None:
    told = event((SAMPLES / "mtn_collection_successful.input.json").read_text())
    assert told["requestDate"] == "2026-03-27T06:00:00.123+00:00"
    assert marks(told)["event_time_source"] == "ingest"
    assert "event_time" in marks(told)["lacks"].split(",")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("752123456", "256752123456"),
        ("0752123456", "256752123456"),
        ("256752123456", "256752123456"),
        ("256123456", "256256123456"),
    ],
)
def test_airtels_number_gets_the_calling_code_of_its_country_once(number: str, expected: str) -> None:
    paid = (SAMPLES / "airtel_paid.input.json").read_text()
    assert event(paid.replace("752123456", f'"{number}"'))["debitParty"] == [{"key": "msisdn", "value": expected}]
    assert translate(paid.replace("752123456", "75212345")) == [
        Reason("/request/subscriber/msisdn", "has not as many digits as the country's numbers")
    ]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("TS", "DP00900001001", "completed"),
        ("TF", "DP00900001005", "failed"),
        ("TIP", "DP00900001006", "pending"),
        (None, "DP00900001001", "completed"),
        (None, "DP00900001000", "pending"),
        (None, "DP00900001014", "failed"),
        ("SUCCESS", "DP00900001006", "pending"),
    ],
)
def test_airtels_disbursement_is_one_transaction_in_each_state(status: str | None, code: str, expected: str) -> None:
    answered = json.loads((SAMPLES / "airtel_disbursement.input.json").read_text())
    answered["callback"]["data"]["transaction"]["status"] = status
    answered["callback"]["status"]["response_code"] = code
    told = event(json.dumps(answered))
    assert (told["transactionStatus"], told["transactionReference"]) == (expected, "external-AB1410001")


def test_a_disbursement_of_a_country_that_nobody_names_is_refused() -> None:
    asked = (SAMPLES / "airtel_disbursement.input.json").read_text()
    assert translate(asked, settings=BARE) == [
        Reason("/request/payee/country", "is none of conf/reference/countries.csv")
    ]


def test_two_failures_of_a_day_are_two_transactions() -> None:
    failed = (SAMPLES / "daraja_b2c_failed_with_request.input.json").read_text()
    other = failed.replace("AG_20260327_00006be9c8b5cc46abb7", "AG_20260327_00006be9c8b5cc46abc0")
    assert event(failed)["transactionReference"] != event(other)["transactionReference"]


def test_what_is_kept_beside_a_record_may_be_text_as_a_table_has_it() -> None:
    whole = json.loads((SAMPLES / "daraja_stk_cancelled_with_request.input.json").read_text())
    flat = {name: json.dumps(value) for name, value in whole.items()}
    assert event(json.dumps(flat)) == event(json.dumps(whole))
    (reason,) = translate(json.dumps(flat | {"callback": flat["callback"] + "}"}), "daraja")
    assert isinstance(reason, Reason)
    assert reason.reason.startswith("not JSON")
    doubled = json.dumps({"callback": '{"TransID": "1", "TransID": "2"}'})
    assert translate(doubled) == [Reason("/callback", "has 'TransID' more than once")]


@pytest.mark.parametrize(
    "native",
    [
        '{"transactionReference": "R1", "customData": {"Result": {"ConversationID": 1}}, "callback": "https://example.com"}',
        '{"transaction_id": "t1", "note": "TransID nameOrig partyId status_code"}',
        '{"a": {"TransID": 1}, "a": 2}',
        '{"TransID": ',
        '["TransID"]',
        "{}",
    ],
)
def test_what_auto_does_not_know_as_another_format_stays_the_text_it_was(native: str) -> None:
    assert translate(native) == RawRecord(7, native.encode())


@pytest.mark.parametrize("native", NATIVE)
def test_a_native_format_that_is_asked_for_translates_nothing(native: SourceFormat) -> None:
    assert translate(C2B, native) == RawRecord(7, C2B.encode())


def test_a_record_that_may_be_of_two_formats_is_refused_in_a_sentence() -> None:
    both = changed(transactionReference="R1")
    assert translate(both) == [Reason("", "the record may be gsma or daraja: name its format with --format")]
    three = changed(step=1, type="PAYMENT", amount="1", nameOrig="C1", nameDest="M1")
    assert translate(three) == [Reason("", "the record may be daraja or paysim: name its format with --format")]
    assert isinstance(translate(both, "daraja"), RawRecord)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (C2B.replace('"TransID"', '"TransID": "other", "TransID"'), "has 'TransID' more than once"),
        (C2B.replace('"RKTQDM7W6S"', '"\\ud800"'), "has half a character, which no text can hold"),
    ],
)
def test_a_text_that_two_readers_would_read_differently_is_refused(text: str, said: str) -> None:
    assert translate(text) == [Reason("", said)]


@pytest.mark.parametrize("text", [b"\xff{", b"5", b"[]", b"{", b"[" * 100_000], ids=lambda text: repr(text[:9]))
def test_what_is_no_json_object_is_refused_where_a_format_is_named(text: bytes) -> None:
    (reason,) = translate(text, "daraja")
    assert isinstance(reason, Reason)


def test_a_record_that_could_not_be_read_keeps_its_problem() -> None:
    broken = RawRecord(1, b"", "the array breaks")
    assert Translator("daraja", SETTINGS, BEGAN_AT).translate(broken) == broken


def test_no_reason_shows_a_value() -> None:
    for path in INPUTS:
        for name, value in json.loads(path.read_text()).items():
            if isinstance(value, str) and len(value) > 5:
                spoiled = json.loads(path.read_text()) | {name: [value]}
                translated = translate(json.dumps(spoiled))
                reasons = translated if isinstance(translated, list) else []
                assert not any(value in reason.reason for reason in reasons)


def test_a_row_of_paysim_has_the_same_reference_wherever_it_stands() -> None:
    row = (SAMPLES / "paysim_cash_in.input.json").read_text()
    assert event(row)["transactionReference"] == event(" " + row)["transactionReference"]
    assert event(row)["transactionReference"] != event(row.replace("143236.26", "143236.27"))["transactionReference"]
