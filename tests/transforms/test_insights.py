"""Each daily table of random transactions is what plain Python makes of the same rows by its definition."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from jobs.insights.charges import with_charges
from jobs.insights.days import computations
from jobs.insights.reference import read_reference
from jobs.insights.reference_tables import TrustStatement
from jobs.metadata import BALANCES
from schemas.tables import (
    AGENTS_DAILY,
    BALANCES_DAILY,
    CORRIDORS_DAILY,
    CUSTOMERS_DAILY,
    DAILY,
    FAILURES_DAILY,
    KPIS_DAILY,
    MERCHANTS_DAILY,
    PAIRS_DAILY,
    REVENUE_DAILY,
    TRUST_DAILY,
)
from tests import plain_insights as plain
from tests.insights import silver_frame, step

DAY = date(2025, 4, 1)
# No bank's statement is published, so these are the test's own; one is of another day.
STATEMENTS = tuple(
    TrustStatement(day, bank, currency, Decimal(amount), "the test's own")
    for day, bank, currency, amount in (
        (DAY, "first", "KES", "100000.5"), (DAY, "second", "KES", "7"), (date(2025, 3, 31), "first", "UGX", "1"),
    )
)  # fmt: skip
REFERENCE = replace(read_reference(), trust_statements=STATEMENTS)
PERSONS = [f"{country}{n}" for country in ("ke", "ug", "gh") for n in range(6)]
# Who may pay whom by which kind.
PARTIES = {
    "deposit": (["AG-1", "AG-2"], PERSONS),
    "withdrawal": (PERSONS, ["AG-1", "AG-2"]),
    "transfer": ([*PERSONS, "bank:ke1", "AG-1"], [*PERSONS, "bank:ke2", "AG-2"]),
    "merchantpay": (PERSONS, ["MER-1", "MER-2", "gh1"]),
    "billpay": (PERSONS, ["BIL-1"]),
    "disbursement": (["ORG-1"], PERSONS),
    "inttransfer": ([*PERSONS, "ORG-1"], PERSONS),
    "reversal": (PERSONS, PERSONS),
    "adjustment": (["ORG-1"], PERSONS),
}
# Edges of bands, and amounts that some of these do not reach.
AMOUNTS = ["1", "49", "49.01", "50", "100", "100.01", "250", "500", "1000", "1010.01", "20020", "250000", "250001"]
FEES = ["0", "7", "13", "29", "29.5", "700"]
# Some are stated, few of them follow from one another; Kenya's limit is 500,000, Ghana's highest one 75,000.
HELD = [None] * 8 + [Decimal(text) for text in ("0", "100", "-0.01", "1100", "75000", "75000.01", "500000", "500001")]
# Whom silver names no more.
ERASED = {"debit_token": None, "debit_party": "msisdn:erased"}
# The day, both sides of its windows' edges, and the days around.
AGES = [0, 0, 0, 0, 0, 0, 1, 29, 30, 31, 89, 90, 91, 400]


def random_row(draw, n):
    kind = draw.choice(list(PARTIES))
    payer = draw.choice(PARTIES[kind][0])
    payee = draw.choice([one for one in PARTIES[kind][1] if one != payer])
    at = datetime(2025, 4, 1, tzinfo=UTC) - timedelta(days=draw.choice(AGES)) + timedelta(minutes=draw.randrange(1440))
    currency = draw.choice(["KES", "KES", "KES", "GHS", "UGX"])
    amount = Decimal(draw.choice(AMOUNTS))
    return step(
        f"T-{n}",
        kind,
        payer,
        payee,
        str(amount.to_integral_value() if currency == "UGX" else amount),
        f"{at:%Y-%m-%d %H:%M:%S}",
        status=draw.choice(["completed", "completed", "completed", "failed", "pending"]),
        currency=currency,
        fee_amount=draw.choice(FEES),
        sub_type=draw.choice([None, "p2p", "airtime"]),
        failure_reason=draw.choice([None, "unknown", "insufficientFunds"]),
        partition=draw.randrange(3),
        offset=n,
        **{name: draw.choice(HELD) for name in BALANCES},
        **(ERASED if payer in PERSONS and draw.random() < 0.05 else {}),
    )


def random_rows(seed, count):
    """Rows with steps before some of them, at most a day older."""
    draw = random.Random(seed)
    rows = [random_row(draw, n) for n in range(count)]
    for row in draw.sample(rows, count // 2):
        if row["status"] != "pending":
            at = row["event_time"] - timedelta(seconds=draw.choice([-5, 0, 3, 40, 90_000]))
            rows.append(row | {"status": "pending", "event_time": at, "event_date": at.date()})
    return rows


@pytest.fixture(scope="module")
def rows():
    return [row for row in random_rows(seed=11, count=700) if row["event_date"] <= DAY]


@pytest.fixture(scope="module")
def computed(spark, rows):
    """The rows of all tables by name, without their day."""
    until = silver_frame(spark, rows).persist()
    charged = with_charges(until.filter(F.col("event_date") == F.lit(DAY)), REFERENCE).persist()
    found = {}
    for name, compute in computations(charged, until, DAY, REFERENCE).items():
        table = next(table for table in DAILY if table.name == name)
        found[name] = [row.asDict() for row in compute().select(table.column_names).collect()]
        assert {row.pop("event_date") for row in found[name]} == {DAY}
    charged.unpersist()
    until.unpersist()
    return found


def in_order(rows, table):
    """Rows by their key, shares and seconds to nine digits, times in UTC."""
    return sorted(
        ({name: _comparable(value) for name, value in row.items()} for row in rows), key=lambda row: _key(row, table)
    )


def _comparable(value):
    if isinstance(value, datetime):
        return value.replace(tzinfo=None) if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    return round(value, 9) if isinstance(value, float) else value


def _key(row, table):
    return [row[name] for name in table.key if name != "event_date"]


PLAIN = {
    CUSTOMERS_DAILY: lambda rows, today: plain.customers(today),
    KPIS_DAILY: lambda rows, today: plain.kpis(rows, DAY),
    REVENUE_DAILY: lambda rows, today: plain.revenue(today, REFERENCE),
    AGENTS_DAILY: lambda rows, today: plain.agents(today, REFERENCE),
    MERCHANTS_DAILY: lambda rows, today: plain.merchants(today),
    CORRIDORS_DAILY: lambda rows, today: plain.corridors(today),
    FAILURES_DAILY: lambda rows, today: plain.failures(today),
    PAIRS_DAILY: lambda rows, today: plain.pairs(today),
    BALANCES_DAILY: lambda rows, today: plain.balances(today, REFERENCE.limits),
    TRUST_DAILY: lambda rows, today: plain.trust(rows, DAY, STATEMENTS),
}


@pytest.mark.parametrize("table", PLAIN, ids=lambda table: table.name)
def test_a_table_is_what_its_definition_gives_in_plain_python(rows, computed, table):
    expected = PLAIN[table](rows, [row for row in rows if row["event_date"] == DAY])

    assert in_order(computed[table.name], table) == in_order(expected, table)
    assert len(expected) > 1


def test_random_balances_show_what_the_table_tells_of(computed):
    found = computed[BALANCES_DAILY.name]

    for name in ("difference_amount", "mismatch_count", "negative_count", "over_limit_count"):
        assert any(row[name] for row in found)
    ratios = {row["currency"]: row["trust_ratio"] for row in computed[TRUST_DAILY.name]}
    assert ratios["KES"] and ratios["UGX"] is None


def test_the_flow_classes_add_up_to_the_money_and_the_corridors_too(computed):
    kpis = computed[KPIS_DAILY.name]
    classes = [name for name in kpis[0] if name.endswith("_amount") and not name.startswith("fee")]

    assert len(classes) == 7
    assert all(sum(row[name] for name in classes) == row["amount"] for row in kpis)
    totals = [
        sum(row["amount"] for row in computed[table.name]) for table in (KPIS_DAILY, CORRIDORS_DAILY, REVENUE_DAILY)
    ]
    assert totals[0] == totals[1] == totals[2] > 0


def test_the_failures_by_reason_are_those_of_the_key_figures(computed):
    def failed(table):
        keys = [(row["country"], row["currency"]) for row in computed[table.name]]
        return {
            area: sum(row["failed_count"] for row, its in zip(computed[table.name], keys, strict=True) if its == area)
            for area in keys
        }

    by_reason = failed(FAILURES_DAILY)
    assert by_reason == {area: count for area, count in failed(KPIS_DAILY).items() if count}
    assert sum(by_reason.values()) > 10


def test_what_no_table_knows_is_null_and_not_zero(spark):
    rows = [
        step("T-1", "transfer", "ug1", "ug2", "1000", "2026-03-27 10:00:00", currency="UGX", fee_amount="5"),
        step("T-2", "transfer", "ke1", "ke2", "250000.01", "2026-03-27 10:00:00", fee_amount="108"),
        step("T-3", "transfer", "ke1", "ke2", "1000", "2024-12-31 10:00:00", fee_amount="13"),
        step("T-4", "transfer", "ke1", "ke2", "1000", "2025-01-01 00:00:00", fee_amount="13"),
        step("T-5", "transfer", "gh1", "gh2", "100", "2025-04-01 10:00:00", currency="GHS"),
        step("T-6", "transfer", "gh1", "gh2", "100.01", "2025-04-01 10:00:00", currency="GHS"),
        step("T-7", "transfer", "gh1", "gh2", "100.01", "2025-04-02 10:00:00", currency="GHS"),
        step("T-8", "merchantpay", "gh1", "MER-1", "200", "2025-04-01 10:00:00", currency="GHS"),
    ]

    charged = with_charges(silver_frame(spark, rows), REFERENCE).sort("transaction_reference").collect()

    assert [row["transaction_reference"] for row in charged] == [f"T-{n}" for n in range(1, 9)]
    assert [row["expected_fee"] for row in charged] == [None, None, None, Decimal(13), None, None, None, None]
    assert [row["commission"] for row in charged] == [None] * 8
    # Excise is on the fee, whether we know the tariff or not; the levy is on what is above the threshold, on its days.
    excise = [Decimal(0), Decimal("14.09"), Decimal("1.70"), Decimal("1.70"), *[Decimal(0)] * 4]
    assert [row["fee_tax"] for row in charged] == excise
    levy = [Decimal(0)] * 5 + [Decimal("1.00")] + [Decimal(0)] * 2
    assert [row["value_tax"] for row in charged] == levy
