import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from jobs import bronze, metadata
from schemas.tables import BRONZE
from tests.builders import SETTINGS, bronze_rows, dummy, encoded, gsma
from tests.frames import assert_rows

AMOUNTS = json.loads((Path(__file__).parents[1] / "gsma_amounts.json").read_text())
GOOD = encoded(gsma())


def reasons(spark, records):
    rows = bronze_rows(spark, records).select("offset", "broken_rules").collect()
    return [row.broken_rules for row in sorted(rows, key=lambda row: row.offset)]


def test_the_dummy_record_says_what_was_assumed(spark):
    columns = ("amount", "currency", "transaction_type", "status", "event_time", "assumed", "broken_rules")
    rows = bronze_rows(spark, [dummy()]).select(*columns)

    assumed = ["currency", "event_time_zone", "transaction_type", "status"]
    noon_in_kampala = datetime(2023, 4, 19, 9, 0)
    assert_rows(rows, [(Decimal("100000.0000"), "UGX", "transfer", "completed", noon_in_kampala, assumed, [])])


def test_a_gsma_record_keeps_what_it_says(spark):
    record = gsma(
        amount="12.30", currency="KES", transactionStatus="Completed", modificationDate="2026-03-27T21:00:00+03:00"
    )
    columns = (
        "record_format",
        "status",
        "amount",
        "fee_amount",
        "debit_party",
        "channel",
        "event_time",
        "event_time_source",
    )
    rows = bronze_rows(spark, [record]).select(*columns)

    at = datetime(2026, 3, 27, 18, 0)
    party = "msisdn:256777123456"
    expected = ("gsma", "completed", Decimal("12.3000"), Decimal("0.0000"), party, "ussd", at, "modificationDate")
    assert_rows(rows, [expected])


def test_the_gsma_amount_cases_get_the_verdict_of_the_specification(spark):
    verdicts = reasons(spark, [gsma(amount=case["amount"], currency="CLF") for case in AMOUNTS])

    assert len(AMOUNTS) == 18
    assert [("bad_amount" in verdict) for verdict in verdicts] == [not case["valid"] for case in AMOUNTS]


def test_an_amount_is_never_rounded(spark):
    as_number = json.dumps(gsma()).replace('"5000"', "5000.00000000000000001").encode()
    long_dummy = json.dumps(dummy()).replace("100000", "100000.00004").encode()

    assert reasons(spark, [as_number, long_dummy]) == [["bad_amount"], ["bad_amount"]]


BAD = {
    "null value": (None, ["null_value"]),
    "bad UTF-8": (b'{"amount": "\xff"}', ["bad_utf8"]),
    "truncated": (GOOD[:-20], ["not_one_json_object"]),
    "junk after the object": (b'{"a":1} junk', ["not_one_json_object"]),
    "a bracket after the object": (GOOD + b"]", ["not_one_json_object"]),
    "a bracket and junk after the object": (GOOD + b"] junk", ["not_one_json_object"]),
    "two objects": (GOOD + GOOD, ["not_one_json_object"]),
    "two objects and a comma": (GOOD + b"," + GOOD, ["not_one_json_object"]),
    "an array": (b"[" + GOOD + b"]", ["not_one_json_object"]),
    "a number": (b"5", ["not_one_json_object"]),
    "the word null": (b"null", ["not_one_json_object"]),
    "nothing": (b"", ["not_one_json_object"]),
    "single quotes": (b"{'amount': '5'}", ["not_one_json_object"]),
    "NaN": (b'{"amount": NaN}', ["not_one_json_object"]),
    "5,000 brackets deep": (b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}", ["not_one_json_object"]),
    "no reference": (gsma(transactionReference=None), ["missing_reference"]),
    "a reference that is a number": (gsma(transactionReference=100_000), ["missing_reference"]),
    "half a character in the reference": (gsma(transactionReference="a\ud83d"), ["missing_reference"]),
    "half a character in a party": (gsma(creditParty=[{"key": "till", "value": "\udc00"}]), ["missing_credit_party"]),
    "a reference that is a text and then a list": (
        GOOD[:-1] + b', "transactionReference": [1]}',
        ["missing_reference"],
    ),
    "half a character in what a party is called": (
        gsma(creditParty=[{"key": "\udc00", "value": "1"}]),
        ["missing_credit_party"],
    ),
    "a party that is a number with a point": (
        gsma(creditParty=[{"key": "till", "value": 1.5}]), ["missing_credit_party"],
    ),
    "a dummy's reference that is a number": (dummy(transaction_id=7), ["missing_reference"]),
    "a rounded amount of the dummy record": (
        encoded(dummy()).replace(b"100000", b"100000.00000000000000000001"), ["bad_amount"],
    ),
    "no status": (gsma(transactionStatus=None), ["missing_status"]),
    "unknown type": (gsma(type="gift"), ["unknown_type"]),
    "zero": (gsma(amount="0.00"), ["zero_amount"]),
    "negative": (gsma(amount="-5"), ["bad_amount"]),
    "line feed after the amount": (gsma(amount="5\n"), ["bad_amount"]),
    "half a shilling": (gsma(amount="100.50"), ["too_many_decimals"]),
    "lower-case currency": (gsma(currency="ugx", fees=None), ["bad_currency"]),
    "fee that is no amount": (gsma(fees=[{"feeAmount": "1,0", "feeCurrency": "UGX"}]), ["bad_fee"]),
    "fee that is a number with a point": (gsma(fees=[{"feeAmount": 1.5, "feeCurrency": "UGX"}]), ["bad_fee"]),
    "fees that are no list": (gsma(fees={"feeAmount": "1"}), ["bad_fee"]),
    "no payer": (gsma(debitParty=[]), ["missing_debit_party"]),
    "no payee": (gsma(creditParty=None), ["missing_credit_party"]),
    "letters in a number": (gsma(debitParty=[{"key": "msisdn", "value": "25677x123456"}]), ["bad_msisdn"]),
    "pays itself": (gsma(creditParty=gsma()["debitParty"]), ["same_parties"]),
    "no zone": (gsma(creationDate="2026-03-27T17:59:00"), ["bad_event_time"]),
    "30 February": (gsma(creationDate="2026-02-30T17:59:00Z"), ["bad_event_time"]),
    "a nested amount is no amount": (gsma(amount=5000, more={"amount": "5"}), ["bad_amount"]),
    "a number, and the same as a text deeper": (gsma(amount=5000, more={"amount": "5000"}), ["bad_amount"]),
    "a dummy's text, and the same number deeper": (
        dummy(transaction_amount="5000", more={"transaction_amount": 5000}), ["bad_amount"],
    ),
    "a reference that is a number, and the same as a text deeper": (
        gsma(transactionReference=7, more={"transactionReference": "7"}), ["missing_reference"],
    ),
    "a list, and the same as a text deeper": (
        gsma(transactionReference=[7], more={"transactionReference": "[7]"}), ["missing_reference"],
    ),
    "a spelt number, and the same as a text deeper": (
        encoded(gsma(amount=5000, more={"amount": "5000"})).replace(b'"amount"', b'"\\u0061mount"', 1), ["bad_amount"],
    ),
    "a rounded fee, and what it is rounded to as a text": (
        encoded(gsma(fees=[{"feeAmount": a, "feeCurrency": "UGX"} for a in ("1.5", "FEE")])).replace(
            b'"FEE"', b"1.50000000000000000001"
        ), ["bad_fee"],
    ),
    "before phones": (gsma(creationDate="1969-12-31T23:59:59Z"), ["bad_event_time"]),
    "the year 2999": (gsma(creationDate="2999-01-01T00:00:00Z"), ["future_event_time"]),
    "reversal of nothing": (gsma(type="reversal"), ["reversal_without_original"]),
    "two rules": (gsma(amount="x", type="gift"), ["unknown_type", "bad_amount"]),
}  # fmt: skip

SOUND = {
    "unknown field": gsma(somethingNew={"a": [1]}),
    "unknown status": gsma(subType="never-seen", transactionStatus="on-hold"),
    "an amount, and the same number deeper": gsma(amount="5000", more={"amount": 5000}),
    "a dummy's amount, and the same as a text deeper": dummy(
        transaction_amount=5000, more={"transaction_amount": "5000"}
    ),
    "a reference, and another deeper": gsma(transactionReference="T-7", more={"transactionReference": 7}),
    "metadata as an object": gsma(metadata={"channel": "app"}),
    "neither metadata nor fees": gsma(metadata=None, fees=None),
    "unknown prefix": gsma(debitParty=[{"key": "msisdn", "value": "999999999"}]),
    "of 2007": gsma(creationDate="2007-03-06T00:00:00.123456+03:00"),
    "reversal": gsma(type="reversal", originalTransactionReference="T-0"),
    "fee that is a whole number": gsma(fees=[{"feeAmount": 100, "feeCurrency": "UGX"}]),
    "fees with points": gsma(fees=[{"feeAmount": a, "feeCurrency": "KES"} for a in ("1.5", "0.25")]),
    "nested fees": gsma(fees=None, more={"fees": 5}),
    "1 MB": gsma(somethingLong="x" * 1_000_000),
    "whole characters": gsma(transactionReference="\U0001f600?", creditParty=[{"key": "till", "value": "?\u00e9"}]),
    "a party with a point": gsma(creditParty=[{"key": "emailaddress", "value": "1.5"}]),
    "blanks around the colon of a reference": encoded(gsma()).replace(b'Reference": "', b'Reference"  :\t"'),
    "dummy": dummy(),
    "zeros after the point of the dummy record": encoded(dummy()).replace(b"100000", b"100000.00"),
}


@pytest.fixture(scope="module")
def verdicts(spark):
    """The broken rules of every record of BAD and SOUND, by its name, from one frame."""
    records = {name: record for name, (record, _) in BAD.items()} | SOUND
    return dict(zip(records, reasons(spark, records.values()), strict=True))


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_names_every_rule_it_breaks(verdicts, name):
    assert verdicts[name] == BAD[name][1]


@pytest.mark.parametrize("name", SOUND)
def test_what_is_odd_but_sound_breaks_no_rule(verdicts, name):
    assert verdicts[name] == []


def test_a_plus_and_blanks_in_a_number_make_no_other_party(spark):
    spelt = gsma(debitParty=[{"key": "msisdn", "value": "+256 777 123456"}])
    parties = bronze_rows(spark, [gsma(), spelt]).select("debit_party", "debit_msisdn").distinct()

    assert_rows(parties, [("msisdn:256777123456", "256777123456")])


def test_every_record_becomes_one_row_and_keeps_its_bytes(spark):
    records = [GOOD, None, b"\xff\xfe", b"", b"{"]
    rows = bronze_rows(spark, records)

    assert rows.columns == BRONZE.column_names
    kept = rows.select("offset", F.coalesce(F.col("payload").cast("binary"), "payload_bytes").alias("bytes"))
    assert_rows(kept, [(i, None if record is None else bytearray(record)) for i, record in enumerate(records)])


def test_the_payload_is_parsed_once(spark):
    plan = bronze_rows(spark, [gsma()])._jdf.queryExecution().executedPlan().toString()

    assert plan.count("from_json(") == 1


def test_a_record_that_was_erased_is_not_read_again(spark):
    events = bronze_rows(spark, [gsma(), dummy(), None])
    erased = events.withColumn(
        "payload", F.when(F.col("record_format") == "gsma", "erased").otherwise(F.col("payload"))
    )

    assert_rows(bronze.records_of(erased).select("offset"), [(1,), (2,)])


def test_bronze_rows_read_again_are_the_same_rows(spark):
    first = bronze_rows(spark, [gsma(), dummy(), b"{", b'{"a": "\xff"}', None, gsma(amount="-1")]).drop("ingested_at")

    again = bronze.parse_events(bronze.records_of(first), SETTINGS.dummy, SETTINGS.stream.future_tolerance)

    assert_rows(again, [tuple(row) for row in first.collect()])


def test_why_a_transaction_failed_is_told_by_codes_of_gsma_alone(spark):
    def noted(reason):
        return gsma(transactionStatus="failed", metadata=[{"key": "failure_reason", "value": reason}])

    def reason_of(*records):
        return [row["failure_reason"] for row in bronze_rows(spark, records).orderBy("offset").collect()]

    assert reason_of(noted("insufficientFunds"), noted("Ana 256777123456"), noted(""), gsma(), dummy(), b"{") == [
        "insufficientFunds", "unknown", "unknown", None, None, None,
    ]  # fmt: skip
    spelt = encoded(noted("requestDeclined")).replace(b"failure", b"\\u0066ailure")
    behind = gsma(metadata=[{"key": "channel", "value": "app"}, {"key": "failure_reason", "value": "requestDeclined"}])
    assert reason_of(spelt, behind, gsma(metadata={"failure_reason": "requestDeclined"})) == ["requestDeclined"] * 3


def test_balances_are_taken_as_they_are_written_or_not_at_all(spark):
    def noted(**balances):
        return gsma(metadata=[{"key": key, "value": value} for key, value in {"channel": "app", **balances}.items()])

    def balances_of(*records):
        rows = bronze_rows(spark, records).orderBy("offset")
        return [tuple(row) for row in rows.select(*metadata.BALANCES).collect()]

    all_four = dict(zip(metadata.BALANCES, ("1500.01", "0", "-0.5", "999999999999999999.9999"), strict=True))
    money = tuple(Decimal(text) for text in all_four.values())
    assert balances_of(noted(**all_four), gsma(metadata=all_four)) == [money, money]
    one = (None, Decimal("7.25"), None, None)
    spelt = encoded(noted(debit_balance_after="7.25")).replace(b"debit", b"\\u0064ebit")
    assert balances_of(noted(debit_balance_after="7.25"), spelt) == [one, one]
    # No amounts, and numbers: a parser may have rounded these.
    no_amounts = [noted(debit_balance_after=text) for text in ("1e3", "1,000", "", " 1", "0.00001", "NaN", 7.25)]
    nothing = [(None,) * 4] * (len(no_amounts) + 4)
    assert balances_of(*no_amounts, gsma(metadata={"debit_balance_after": 7.5}), gsma(), dummy(), b"{") == nothing


def test_a_second_name_of_the_reference_hides_behind_no_spelling_of_its_underscore(spark):
    hidden = encoded(dummy())[:-1] + b',"transaction\\u005fid":[{"feeType":"a"}]}'

    # Fees, too, may hide behind such a spelling.
    assert reasons(spark, [hidden]) == [["missing_reference", "bad_fee"]]


@pytest.mark.parametrize("written", ["100000", "12.30", "10000000.5", "0.1", "999999999999999999.9999", "7.0000 "])
def test_the_amount_of_the_dummy_record_is_the_number_as_it_is_written(spark, written):
    record = encoded(dummy()).replace(b"100000", written.encode())

    assert_rows(bronze_rows(spark, [record]).select("amount"), [(Decimal(written.strip()),)])


def test_a_record_that_brings_an_end_of_its_own_is_no_object(spark):
    known_once = b',{"momostream.end":true}]'

    assert reasons(spark, [GOOD + known_once]) == [["not_one_json_object"]]
