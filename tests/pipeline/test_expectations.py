import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pyspark.sql import Row
from pyspark.sql import functions as F

from jobs import check_page, rules, validate_tables
from jobs.command_line import run
from jobs.errors import SettingsError
from jobs.expectations import (
    CHECKED,
    Expectation,
    Finding,
    Suite,
    TableCheck,
    check_rows,
    existing_lake,
    read_suite,
    tables_named,
)
from jobs.lake import Lake
from schemas.tables import (
    AGENT_5M,
    AGENTS_DAILY,
    BALANCES_DAILY,
    BRONZE,
    CORRIDOR_HOURLY,
    CORRIDORS_DAILY,
    CUSTOMERS_DAILY,
    DAILY,
    FAILURES_DAILY,
    KPIS_DAILY,
    MERCHANTS_DAILY,
    PAIRS_DAILY,
    PER_MINUTE,
    QUARANTINE,
    REVENUE_DAILY,
    SILVER,
    TRUST_DAILY,
)
from tests.builders import ARRIVAL, SETTINGS, agent_cash, bronze_rows, dummy, gsma, silver_rows

TOLERANCE = SETTINGS.stream.future_tolerance
CANARY = "256777999111"
NO_OBJECT = [None, b"\xff\xfe", b"[1]", b'{"a":1} junk']


def phone(number):
    return [{"key": "msisdn", "value": number}]


# Each lies on the good side of a rule's edge.
GOOD = [
    gsma(transactionReference="R" * 256),
    gsma(transactionReference="G-1", transactionStatus="Pending", type="reversal", originalTransactionReference="R"),
    gsma(transactionReference="G-2", currency="USD", amount="0.01"),
    gsma(transactionReference="G-3", currency="KWD", amount="0.001"),
    gsma(transactionReference="G-4", creationDate="2026-03-27T18:05:00Z"),
    gsma(transactionReference="G-5", debitParty=phone("256777")),
    gsma(transactionReference="G-6", debitParty=phone("+2567 77123456789"), fees=None),
    agent_cash("deposit", "AG-1", "256777123456", transactionReference="G-7"),
    dummy(transaction_id="G-8"),
]

BROKEN = {
    "no reference": (gsma(transactionReference=None), ["missing_reference"]),
    "an empty reference": (gsma(transactionReference=""), ["missing_reference"]),
    "a long reference": (gsma(transactionReference="R" * 257), ["missing_reference"]),
    "no status": (gsma(transactionStatus=None), ["missing_status"]),
    "an empty status": (gsma(transactionStatus=""), ["missing_status"]),
    "no type": (gsma(type=None), ["unknown_type"]),
    "another type": (gsma(type="gift"), ["unknown_type"]),
    "a negative amount": (gsma(amount="-5000"), ["bad_amount"]),
    "zero": (gsma(amount="0"), ["zero_amount"]),
    "half a shilling": (gsma(amount="0.50"), ["too_many_decimals"]),
    "no currency": (gsma(currency=None), ["bad_currency"]),
    "a currency in lower case": (gsma(currency="ugx", fees=None), ["bad_currency"]),
    "a fee that is no amount": (gsma(fees=[{"feeAmount": "1e3", "feeCurrency": "UGX"}]), ["bad_fee"]),
    "no payer": (gsma(debitParty=None), ["missing_debit_party"]),
    "a long payer": (gsma(debitParty=[{"key": "alias", "value": "A" * 256}]), ["missing_debit_party"]),
    "no payee": (gsma(creditParty=None), ["missing_credit_party"]),
    "a short number of the payer": (gsma(debitParty=phone("25677")), ["bad_msisdn"]),
    "a long number of the payee": (gsma(creditParty=phone("2567771234567890")), ["bad_msisdn"]),
    "a payment to oneself": (gsma(creditParty=phone("256777123456")), ["same_parties"]),
    "a time without a zone": (gsma(creationDate="2026-03-27T17:59:00"), ["bad_event_time"]),
    "a time to come": (gsma(creationDate="2026-03-27T18:05:00.000001Z"), ["future_event_time"]),
    "a reversal of nothing": (gsma(type="reversal"), ["reversal_without_original"]),
    "three at once": (gsma(amount="0", type=None, currency="U"), ["unknown_type", "zero_amount", "bad_currency"]),
}


@pytest.fixture(scope="module")
def known(spark):
    """Each record's row of silver, whether fit for it or not, and the rules that the stream says it breaks.

    Fetched once: a plan that parses JSON would be compiled anew for each count.
    """
    records = [*GOOD, *(record for record, _ in BROKEN.values()), *NO_OBJECT]
    broken = [row["broken_rules"] for row in bronze_rows(spark, records).sort("offset").collect()]
    rows = silver_rows(spark, records).sort("offset").collect()
    return list(zip(rows, broken, strict=True))


def frame(spark, rows, table=SILVER):
    return spark.createDataFrame(rows, table.schema)


@pytest.fixture
def good(spark, known):
    """Rows of silver that break no rule."""
    return frame(spark, [row for row, _ in known[: len(GOOD)]])


def suite_of(table, *, with_rule=False):
    suite = read_suite(table, TOLERANCE)
    return suite.model_copy(update={"expectations": [e for e in suite.expectations if e.meta.rule or not with_rule]})


def expectation(type_, severity="critical", description="It is so.", **kwargs):
    return Expectation(type=type_, kwargs=kwargs, severity=severity, description=description)


def rows_expected(minimum=1):
    return expectation("expect_table_row_count_to_be_between", description="There are rows.", min_value=minimum)


def satisfied(condition, severity="critical", **kwargs):
    return expectation("expect_rows_to_satisfy", severity, condition=condition, **kwargs)


def judged(rows, *expectations):
    return check_rows(rows, Suite(name="silver_transactions", expectations=[rows_expected(), *expectations]))


def failing(findings):
    return [finding.expectation for finding in findings if not finding.success]


def test_good_rows_meet_every_expectation_of_silver(good):
    findings = check_rows(good, suite_of(SILVER))

    assert failing(findings) == []
    assert len(findings) == len(suite_of(SILVER).expectations)


@pytest.mark.parametrize("case", BROKEN)
def test_the_expectations_find_in_a_row_the_rules_it_breaks(spark, known, case):
    row, stream_says = known[len(GOOD) + list(BROKEN).index(case)]
    good_rows = [row for row, _ in known[: len(GOOD)]]

    findings = check_rows(frame(spark, [*good_rows, row]), suite_of(SILVER, with_rule=True))

    assert stream_says == BROKEN[case][1]
    assert {finding.rule for finding in findings if not finding.success} == set(stream_says)


def test_every_row_rule_has_its_expectation_and_its_broken_row():
    names = {rule.name for rule in rules.TRANSACTION_RULES}

    assert {e.meta.rule for e in suite_of(SILVER, with_rule=True).expectations} == names
    assert {name for _, broken in BROKEN.values() for name in broken} == names


def test_a_record_that_is_not_one_object_fails_silver(spark, known):
    good_rows = [row for row, _ in known[: len(GOOD)]]
    for row, stream_says in known[-len(NO_OBJECT) :]:
        findings = check_rows(frame(spark, [*good_rows, row]), suite_of(SILVER, with_rule=True))

        assert stream_says[0] in {rule.name for rule in rules.STRUCTURE_RULES}
        assert any(finding.fails_the_run for finding in findings)


def test_decimals_are_judged_by_each_currency_as_the_rule_does(spark):
    currencies = [*rules.NO_MINOR_UNIT, *rules.THREE_DECIMALS, "USD", "KES"]
    amounts = ["1", "1.5", "1.55", "1.555", "1.5555"]
    records = [gsma(currency=c, amount=a, fees=None) for c in currencies for a in amounts]
    refused = bronze_rows(spark, records).filter(F.array_contains("broken_rules", "too_many_decimals")).count()

    rows = frame(spark, silver_rows(spark, records).collect())
    findings = check_rows(rows, suite_of(SILVER, with_rule=True))

    decimals = next(finding for finding in findings if finding.rule == "too_many_decimals")
    assert refused == 4 * len(rules.NO_MINOR_UNIT) + len(rules.THREE_DECIMALS) + 2 * 2
    assert decimals.observed == f"{refused} of {len(records)} rows do not fit"


def test_a_step_of_a_transaction_that_is_there_twice_fails_silver(good):
    twice = good.union(good.limit(1))

    assert failing(check_rows(twice, suite_of(SILVER))) == ["Each step of a transaction is here once."]


def test_an_empty_table_fails_but_for_a_quarantine_where_nothing_was_refused(spark):
    def breaks(table):
        empty = spark.createDataFrame([], table.schema)
        return any(finding.fails_the_run for finding in check_rows(empty, suite_of(table)))

    assert [table for table in (BRONZE, SILVER, PER_MINUTE, CORRIDOR_HOURLY) if not breaks(table)] == []
    assert not breaks(QUARANTINE)
    # An operator without agents has none in gold: worth a warning, not an alarm.
    assert not breaks(AGENT_5M)
    # Nor is a day that nobody has computed an alarm.
    assert [table for table in DAILY if breaks(table)] == []
    assert failing(check_rows(spark.createDataFrame([], AGENT_5M.schema), suite_of(AGENT_5M))) != []


@pytest.mark.parametrize(
    "broken",
    [
        expectation("expect_column_values_to_not_be_null", "info", column="no_such_column"),
        satisfied("no_such_column > 0", "info"),
        satisfied("raise_error('it happens') IS NULL", "info"),
        expectation("unexpected_rows_expectation", "info", unexpected_rows_query="SELECT no_such FROM {batch}"),
    ],
    ids=["missing column", "condition on a missing column", "error while counting", "query on a missing column"],
)
def test_an_expectation_that_cannot_be_evaluated_fails_whatever_its_severity(good, broken):
    finding = judged(good, broken)[1]

    assert finding.success is None
    assert finding.fails_the_run
    assert finding.observed.startswith("could not be evaluated")


def test_a_warning_is_reported_and_does_not_fail_the_run(good):
    warned, refused = (judged(good, satisfied("amount > 1", severity))[1] for severity in ("warning", "critical"))

    assert (warned.success, warned.fails_the_run) == (False, False)
    assert (refused.success, refused.fails_the_run) == (False, True)


def test_a_share_of_rows_may_be_allowed_and_null_counts_against_it(spark):
    rows = spark.createDataFrame([(1,), (2,), (3,), (None,)], "n int")

    assert judged(rows, satisfied("n > 0", mostly=0.75))[1].success
    assert not judged(rows, satisfied("n > 0", mostly=0.76))[1].success
    assert judged(rows, satisfied("n > 0"))[1].observed == "1 of 4 rows do not fit"


def test_no_value_of_the_data_reaches_findings_page_or_log(spark, capfd, caplog):
    record = gsma(debitParty=phone(CANARY), creditParty=phone(CANARY), transactionReference=CANARY)
    rows = frame(spark, silver_rows(spark, [record, record]).collect())
    number, pair = {"column": "transaction_reference"}, ["transaction_reference", "status"]
    query = "SELECT transaction_reference FROM {batch}"
    on_numbers = [
        expectation("expect_column_values_to_match_regex", description="1", regex="x", **number),
        expectation("expect_column_values_to_be_unique", description="2", **number),
        expectation("expect_compound_columns_to_be_unique", description="3", column_list=pair),
        expectation("unexpected_rows_expectation", description="4", unexpected_rows_query=query),
    ]
    findings = judged(rows, *on_numbers)
    logged = caplog.text + "".join(capfd.readouterr())
    # What Spark itself logs of a failed cast is not ours to keep back: see docs/checks.md.
    findings += judged(rows, satisfied("CAST(concat(transaction_reference, 'x') AS INT) > 0"))

    check = TableCheck("silver_transactions", 1, 2, 1.0, tuple(findings))
    assert [finding.success for finding in findings] == [True, False, False, False, False, True, None]
    assert findings[-1].observed == "could not be evaluated (CAST_INVALID_INPUT)"
    shown = check_page.page("lake", ARRIVAL, [check], []) + check_page.summary([check]) + str(check)
    assert CANARY not in shown + logged


def test_the_page_escapes_and_needs_nothing_from_elsewhere():
    finding = Finding("<b>bold</b>", "critical", None, False, "1 of 2 rows do not fit")
    page = check_page.page("lake", ARRIVAL, [TableCheck("silver_transactions", 3, 2, 0.5, (finding,))], [])

    assert "&lt;b&gt;bold" in page
    assert "Checks failed" in page
    assert "Checks passed" in check_page.page("lake", ARRIVAL, [], [])
    assert "http" not in page
    assert "<script" not in page


def good_stream(stream):
    """Gold of all kinds, a window corrected by a late event among it, and one refused record."""
    deposit = agent_cash("deposit", "AG-1", "256777123456", transactionReference="D-1")
    withdrawal = agent_cash("withdrawal", "AG-1", "256777123456", transactionReference="W-1", amount="7000")
    failed = gsma(transactionReference="F-1", transactionStatus="failed")
    many = [gsma(transactionReference=f"M-{i}", amount=str(100 + i)) for i in range(20)]
    stream.run(*many, deposit, withdrawal, failed, gsma(amount="0"))
    stream.run(gsma(transactionReference="L-1", creationDate="2026-03-27T14:00:00Z"))
    return ["--lake", str(stream.lake.path)]


def test_a_lake_that_the_stream_wrote_passes_and_one_with_a_doubled_row_does_not(spark, stream, capsys):
    arguments = good_stream(stream)
    assert run(validate_tables.main, [*arguments, "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)
    assert [check["table_name"] for check in checks] == [table.name for table in CHECKED]
    assert checks[1]["row_count"] == 24
    assert checks[1]["table_version"] == stream.lake.open(SILVER).version()
    assert [finding for check in checks for finding in check["findings"] if not finding["success"]] == []

    stream.lake.append(stream.lake.read(spark, SILVER).limit(1), SILVER)
    assert run(validate_tables.main, [*arguments, "--tables", "silver_transactions,quarantine_events"]) == 65
    printed = capsys.readouterr()
    assert "critical: silver_transactions: Each step of a transaction is here once. Not so: 2 of 25 rows" in printed.out
    assert printed.err.startswith("The checks of silver_transactions failed:")
    assert "Traceback" not in printed.err

    runs = stream.rows("SELECT checked_at, count(*) FROM check_results GROUP BY 1 ORDER BY 1")
    assert [count for _, count in runs] == [
        sum(len(suite_of(table).expectations) for table in tables) for tables in (CHECKED, (SILVER, QUARANTINE))
    ]
    assert stream.rows("SELECT count(*), min(observed) FROM check_results WHERE NOT success") == [
        (1, "2 of 25 rows do not fit")
    ]
    page = (stream.lake.path / "checks" / "index.html").read_text()
    assert "Checks failed" in page
    assert page.count("✓ passed") == 3, "quarantine in the overview and in the list, and the run before"


START = datetime(2026, 3, 27, 17, 0, tzinfo=UTC)
CLOSED = {"is_final": True, "revision": 1, "corrected_at": ARRIVAL, "window_date": START.date()}
MONEY = [Decimal(text) for text in ("0", "100", "5000", "7000")]
NONE, FEE, SMALL, LARGE = MONEY
SPAN = {"first_event_time": START, "last_event_time": START + timedelta(hours=6, minutes=59)}
# One good row per gold table, columns in the table's order; of the daily ones without the day.
WINDOWS = {
    PER_MINUTE.name: dict(
        window_start=START, window_end=START + timedelta(minutes=1), transaction_type="transfer", currency="UGX",
        channel="app", event_count=4, transaction_count=2, amount=SMALL + LARGE, failed_count=1, failed_amount=FEE,
        fee_amount=NONE, distinct_payers=1, largest_amount=LARGE, **CLOSED,
    ),
    AGENT_5M.name: dict(
        window_start=START, window_end=START + timedelta(minutes=5), agent_id="AG-1", currency="UGX", cash_in_count=1,
        cash_in_amount=LARGE, cash_out_count=2, cash_out_amount=SMALL, net_float=SMALL - LARGE, distinct_customers=3,
        **CLOSED,
    ),
    CORRIDOR_HOURLY.name: dict(
        window_start=START, window_end=START + timedelta(hours=1), debit_country="UG", debit_operator="MTN",
        credit_country="none", credit_operator="none", currency="UGX", transaction_count=2, amount=SMALL + LARGE,
        fee_amount=FEE, largest_amount=LARGE, **CLOSED,
    ),
    CUSTOMERS_DAILY.name: dict(
        customer_token="k1_a", currency="UGX", country="UG", event_count=4, in_count=1, in_amount=LARGE, out_count=2,
        out_amount=SMALL, transfer_count=1, largest_transfer_amount=SMALL, fee_amount=FEE, failed_count=1, **SPAN,
    ),
    KPIS_DAILY.name: dict(
        country="UG", currency="UGX", registered_count=4, active_30d_count=1, active_90d_count=2, activity_rate=0.25,
        transaction_count=3, amount=SMALL + LARGE, cash_in_amount=LARGE, cash_out_amount=NONE, circulating_amount=SMALL,
        digital_in_amount=NONE, digital_out_amount=NONE, float_amount=NONE, contra_amount=NONE, fee_amount=FEE,
        fee_30d_amount=FEE, arpu_30d=FEE, failed_count=1, failure_rate=0.25, reversal_count=1, reversal_rate=0.5,
        timed_count=1, seconds_to_final_p50=3.0, seconds_to_final_p95=3.0,
    ),
    REVENUE_DAILY.name: dict(
        country="UG", operator="MTN", transaction_type="transfer", sub_type="p2p", currency="UGX", transaction_count=2,
        amount=SMALL + LARGE, fee_amount=SMALL, tariff_count=2, expected_fee_amount=FEE, fee_difference=SMALL - FEE,
        mischarged_count=1, fee_tax_amount=FEE, value_tax_amount=NONE, commission_count=1, commission_amount=FEE,
        net_revenue=SMALL - FEE - FEE,
    ),
    AGENTS_DAILY.name: dict(
        agent_id="AG-1", currency="UGX", cash_in_count=1, cash_in_amount=LARGE, cash_out_count=2, cash_out_amount=SMALL,
        net_float=SMALL - LARGE, distinct_customers=3, commission_count=3, commission_amount=FEE, split_score=0.0,
        split_gain=NONE,
    ),
    MERCHANTS_DAILY.name: dict(
        merchant_id="MER-1", currency="UGX", transaction_count=2, amount=SMALL + LARGE, fee_amount=NONE,
        failed_count=1, distinct_payers=1, largest_amount=LARGE,
    ),
    CORRIDORS_DAILY.name: dict(
        debit_country="UG", debit_operator="MTN", credit_country="none", credit_operator="none", currency="UGX",
        transaction_count=2, amount=SMALL + LARGE, fee_amount=FEE, distinct_payers=2, largest_amount=LARGE,
    ),
    FAILURES_DAILY.name: dict(
        country="UG", operator="MTN", transaction_type="transfer", currency="UGX", failure_reason="insufficientFunds",
        failed_count=2, failed_amount=SMALL, distinct_payers=1,
    ),
    PAIRS_DAILY.name: dict(
        payer_token="k1_a", payee_token="k1_b", currency="UGX", transfer_count=2, amount=SMALL, **SPAN,
    ),
    BALANCES_DAILY.name: dict(
        account="k1_a", currency="UGX", transaction_count=3, stated_count=2, opening_balance=SMALL, credit_amount=LARGE,
        debit_amount=FEE, closing_balance=SMALL + LARGE - FEE, difference_amount=NONE, mismatch_count=0,
        negative_count=0, over_limit_count=0,
    ),
    TRUST_DAILY.name: dict(
        currency="UGX", account_count=3, stated_count=2, outstanding_amount=SMALL, trust_amount=LARGE, trust_ratio=1.4,
        difference_amount=LARGE - SMALL,
    ),
}  # fmt: skip

ONCE = "Each key is here once a day."
DAY_KEY = "No part of a key is missing."
FLOAT = "The change of an agent's float is cash-out minus cash-in, to the last digit."
TWICE = "Each window is here once for each key."
KEY = "No part of a window's key is missing."
CORRECTION = "A window has the time of its last correction if, and only if, it was corrected."
LARGEST = "The largest amount is no more than the sum, and no less than the average."
MINUTE = "A window is one whole minute, UTC, under its day."
FIVE_MINUTES = "A window is five whole minutes, UTC, under its day."
HOUR = "A window is one whole hour, UTC, under its day."
OF_THE_DAY = "The first and the last {} are in order and of the day, UTC."
TIMES = "There are times to final if, and only if, transactions were timed, the median the shorter one."
MONEY_OF_A_ROW = "Each row has transactions and an amount, and no negative fee, tax or commission."
EXPECTED = (
    "Where all have a tariff, the difference is what was charged less what was expected; where none has, nothing."
)
FOLLOWS = "The difference is what does not follow from opening, money in and money out, to the last digit."
STATED = "Each row has transactions that state a balance, and no more that are wrong."
HOLDABLE = "No account is below nothing, and no person above what limits.csv allows anybody."
# Column, what it is made to say, and the expectation that must notice.
TAMPERED = {
    PER_MINUTE.name: [
        ("amount", "amount", TWICE),
        ("channel", "NULL", KEY),
        ("window_start", "window_start + INTERVAL 1 SECOND", MINUTE),
        ("revision", "0", CORRECTION),
        ("corrected_at", "NULL", CORRECTION),
        ("failed_count", "NULL", "No count is missing or negative, and no window is without events."),
        ("failed_count", "3", "Completed and failed transactions are no more than all events."),
        ("transaction_count", "0", "There is an amount if, and only if, a transaction was completed."),
        ("failed_amount", "0", "There is a failed amount if, and only if, a transaction failed."),
        ("fee_amount", "-1", "No fee is negative, or without a completed transaction."),
        ("largest_amount", "12001", LARGEST),
        ("largest_amount", "5999.9999", LARGEST),
        ("distinct_payers", "3", "There are no more payers than completed transactions."),
    ],
    AGENT_5M.name: [
        ("agent_id", "agent_id", TWICE),
        ("agent_id", "NULL", KEY),
        ("window_end", "window_end - INTERVAL 4 MINUTES", FIVE_MINUTES),
        ("is_final", "NULL", CORRECTION),
        ("cash_in_count", "-1", "No count is missing or negative, and no window is without cash-in or cash-out."),
        ("cash_in_amount", "NULL", "There is a cash-in amount if, and only if, there was a cash-in."),
        ("cash_out_count", "0", "There is a cash-out amount if, and only if, there was a cash-out."),
        ("net_float", "net_float + 0.0001", FLOAT),
        ("distinct_customers", "0", "There are no more customers than cash-ins and cash-outs."),
    ],
    CORRIDOR_HOURLY.name: [
        ("debit_country", "debit_country", TWICE),
        ("credit_operator", "NULL", KEY),
        ("window_date", "DATE '2026-03-28'", HOUR),
        ("revision", "-1", CORRECTION),
        ("transaction_count", "0", "Each window has transactions and an amount, and no negative fee."),
        ("largest_amount", "NULL", LARGEST),
    ],
    CUSTOMERS_DAILY.name: [
        ("in_amount", "in_amount", ONCE),
        ("customer_token", "NULL", DAY_KEY),
        ("event_count", "3", "No count is negative, and nobody is here without an event."),
        ("out_amount", "0", "There is money in, or out, if, and only if, a transaction says so."),
        ("transfer_count", "3", "Transfers are among what was paid, and so is the largest of them."),
        ("largest_transfer_amount", "5000.0001", "Transfers are among what was paid, and so is the largest of them."),
        ("fee_amount", "NULL", "No fee is negative."),
        ("last_event_time", "last_event_time + INTERVAL 1 MINUTE", OF_THE_DAY.format("event")),
        ("first_event_time", "last_event_time + INTERVAL 1 SECOND", OF_THE_DAY.format("event")),
    ],
    KPIS_DAILY.name: [
        ("country", "country", ONCE),
        ("country", "NULL", DAY_KEY),
        ("amount", "amount + 0.0001", "The flow classes add up to the amount, to the last digit."),
        ("fee_amount", "-1", "No money is negative, and there is some if, and only if, a transaction was completed."),
        (
            "transaction_count",
            "0",
            "No money is negative, and there is some if, and only if, a transaction was completed.",
        ),
        (
            "fee_30d_amount",
            "NULL",
            "No money is negative, and there is some if, and only if, a transaction was completed.",
        ),
        ("active_30d_count", "3", "Accounts active in 30 days are among those of 90, and these among the registered."),
        ("registered_count", "1", "Accounts active in 30 days are among those of 90, and these among the registered."),
        ("activity_rate", "0.26", "The activity rate is that of the accounts beside it."),
        ("activity_rate", "NULL", "The activity rate is that of the accounts beside it."),
        ("failure_rate", "0.5", "The failure rate is that of the counts beside it."),
        (
            "reversal_count",
            "2",
            "Reversals are completed transactions, and their rate is that of the counts beside it.",
        ),
        ("arpu_30d", "NULL", "There is revenue per user if, and only if, there are active accounts."),
        ("timed_count", "0", TIMES),
        ("seconds_to_final_p95", "2.9", TIMES),
    ],
    REVENUE_DAILY.name: [
        ("country", "country", ONCE),
        ("sub_type", "NULL", DAY_KEY),
        ("value_tax_amount", "-1", MONEY_OF_A_ROW),
        ("value_tax_amount", "NULL", MONEY_OF_A_ROW),
        ("expected_fee_amount", "NULL", MONEY_OF_A_ROW),
        (
            "net_revenue",
            "net_revenue + 0.0001",
            "Net revenue is what was charged less tax and commission, to the last digit.",
        ),
        ("mischarged_count", "3", "Of the transactions those with a tariff, and of these the mischarged."),
        ("fee_difference", "0", EXPECTED),
        ("tariff_count", "0", EXPECTED),
        ("mischarged_count", "0", "Nothing differs where nobody was mischarged."),
    ],
    AGENTS_DAILY.name: [
        ("agent_id", "agent_id", ONCE),
        ("agent_id", "NULL", DAY_KEY),
        ("cash_in_count", "-1", "No count is negative, and no agent is here without cash-in or cash-out."),
        ("cash_in_amount", "0", "There is cash in, or out, if, and only if, a visit says so."),
        ("net_float", "net_float + 0.0001", FLOAT),
        ("distinct_customers", "4", "There are customers, and no more than cash-ins and cash-outs."),
        ("commission_count", "0", "Commission is of the visits, and never negative."),
        ("split_score", "1.1", "The split score is a share, where there was a cash-in."),
        ("split_score", "NULL", "The split score is a share, where there was a cash-in."),
    ],
    MERCHANTS_DAILY.name: [
        ("merchant_id", "merchant_id", ONCE),
        ("currency", "NULL", DAY_KEY),
        ("failed_count", "-1", "No count is negative, and no merchant is here without a payment."),
        ("amount", "0", "There is an amount if, and only if, a payment was completed, and no negative fee."),
        (
            "distinct_payers",
            "0",
            "There are payers if, and only if, a payment was completed, and no more than payments.",
        ),
        ("largest_amount", "12001", LARGEST),
        ("largest_amount", "NULL", LARGEST),
    ],
    CORRIDORS_DAILY.name: [
        ("currency", "currency", ONCE),
        ("debit_operator", "NULL", DAY_KEY),
        ("fee_amount", "-1", "Each row has transactions and an amount, and no negative fee."),
        ("distinct_payers", "3", "There are payers, and no more than transactions."),
        ("largest_amount", "5999.9999", LARGEST),
    ],
    FAILURES_DAILY.name: [
        ("currency", "currency", ONCE),
        ("failure_reason", "NULL", DAY_KEY),
        ("failed_amount", "0", "Each row has failures and an amount."),
        ("distinct_payers", "3", "There are payers, and no more than failures."),
        ("failure_reason", "'Ana Achieng has no money'", "A reason is an error code of GSMA, unknown, or not stated."),
    ],
    PAIRS_DAILY.name: [
        ("amount", "amount", ONCE),
        ("payee_token", "NULL", DAY_KEY),
        ("transfer_count", "0", "Each row has transfers and an amount."),
        ("last_event_time", "last_event_time + INTERVAL 1 MINUTE", OF_THE_DAY.format("transfer")),
    ],
    BALANCES_DAILY.name: [
        ("account", "account", ONCE),
        ("account", "NULL", DAY_KEY),
        ("closing_balance", "closing_balance + 0.0001", FOLLOWS),
        ("opening_balance", "NULL", FOLLOWS),
        ("stated_count", "0", STATED),
        ("stated_count", "4", STATED),
        ("over_limit_count", "3", STATED),
        ("difference_amount", "0.0001", "Balances follow from what moved."),
        ("mismatch_count", "1", "Balances follow from what moved."),
        ("negative_count", "1", HOLDABLE),
        ("over_limit_count", "1", HOLDABLE),
    ],
    TRUST_DAILY.name: [
        ("currency", "currency", ONCE),
        ("currency", "NULL", DAY_KEY),
        ("stated_count", "4", "Accounts whose balance is known are among those that are."),
        ("outstanding_amount", "NULL", "Accounts whose balance is known are among those that are."),
        ("trust_ratio", "1.39", "Ratio and difference are those of the amounts beside them."),
        ("trust_ratio", "NULL", "Ratio and difference are those of the amounts beside them."),
        ("difference_amount", "NULL", "Ratio and difference are those of the amounts beside them."),
        ("trust_amount", "4999.9999", "Money in trust covers the e-money, where a bank's statement is known."),
    ],
}


@pytest.mark.parametrize("table", [PER_MINUTE, AGENT_5M, CORRIDOR_HOURLY, *DAILY], ids=lambda table: table.name)
def test_gold_is_judged_by_its_sums_keys_and_windows(spark, table):
    day = {"event_date": START.date()} if table in DAILY else {}
    good = frame(spark, [Row(**day, **WINDOWS[table.name])], table)
    assert failing(check_rows(good, suite_of(table))) == []

    by_sentence = {e.description: e for e in suite_of(table).expectations}
    for column, value, sentence in TAMPERED[table.name]:
        bad = good.union(good.withColumn(column, F.expr(value)))
        assert failing(judged(bad, by_sentence[sentence])) == [sentence]


def test_every_expectation_of_a_daily_table_is_broken_above():
    for table in DAILY:
        _, *sentences = (e.description for e in suite_of(table).expectations)
        assert set(sentences) == {sentence for _, _, sentence in TAMPERED[table.name]}


def test_a_reason_may_be_what_the_parser_may_say():
    (reasons,) = (e for e in suite_of(FAILURES_DAILY).expectations if e.type == "expect_column_values_to_be_in_set")

    assert set(reasons.kwargs["value_set"]) == {*rules.FAILURE_REASONS, "unknown", "not stated"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is wrong at the suite: Invalid JSON"),
        ('{"name": "silver_transactions", "expectations": []}', "without which an empty table passes"),
        ('{"name": "silver_transactions", "expectations": [], "notes": ""}', "is wrong at notes: Extra inputs"),
        ('{"name": "silver", "expectations": [%s]}', "must be named as its table"),
        ('{"name": "silver_transactions", "expectations": [%s, %s]}', "have the same description"),
    ],
)
def test_a_file_that_is_no_suite_is_refused_in_one_sentence(tmp_path, text, complaint):
    (tmp_path / "silver_transactions.json").write_text(text.replace("%s", rows_expected().model_dump_json()))

    with pytest.raises(SettingsError, match=complaint):
        read_suite(SILVER, TOLERANCE, tmp_path)


def test_an_expectation_nobody_knows_is_refused_by_name(good):
    with pytest.raises(SettingsError, match="has 'expect_the_best', an expectation that does not exist"):
        judged(good, expectation("expect_the_best"))
    with pytest.raises(SettingsError, match="wrong arguments.*colum"):
        judged(good, expectation("expect_column_values_to_not_be_null", colum="amount"))
    with pytest.raises(SettingsError, match="silver_transactions.json cannot be read"):
        read_suite(SILVER, TOLERANCE, SETTINGS.lake_path / "nowhere")


def test_a_lake_or_table_that_is_not_there_is_a_wrong_argument(tmp_path, capsys):
    with pytest.raises(SettingsError, match="There is no lake at"):
        existing_lake(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="'gold', which has no checks: choose from bronze_transaction_events"):
        tables_named(Lake(tmp_path), "silver_transactions,gold")
    assert run(validate_tables.main, ["--lake", str(tmp_path)]) == 64
    assert "has no table bronze_transaction_events: start the stream once" in capsys.readouterr().err
