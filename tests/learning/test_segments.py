"""Customers' segments: each rule takes whom it describes, and the first that fits."""

from datetime import date, timedelta
from decimal import Decimal

import pandas as pd

from jobs.learning.segments import LEAST_CUSTOMERS, SEGMENTS, segmented
from schemas.tables import CUSTOMER_SEGMENTS

DAY = date(2026, 3, 27)
LONG_AGO = DAY - timedelta(days=400)


def customer(token, **changes):
    """Active yesterday and for long, in and out, cash and phone."""
    return {
        "customer_token": token,
        "currency": "UGX",
        "first_day": DAY - timedelta(days=80),
        "last_day": DAY - timedelta(days=1),
        "active_days": 5,
        "transaction_count": 10,
        "amount": Decimal("1000.0000"),
        "in_count": 4,
        "out_count": 6,
        "cash_out_count": 2,
        "sent_count": 2,
        "paid_count": 2,
    } | changes


def segment_of(*customers, known_since=LONG_AGO):
    rows = segmented(pd.DataFrame(list(customers)), DAY, known_since).to_pylist()
    return {row["customer_token"]: row for row in rows}


def ago(days):
    return DAY - timedelta(days=days)


def test_each_customer_is_in_the_first_segment_that_describes_it():
    rows = segment_of(
        customer("k1_asleep", last_day=ago(30), sent_count=6, cash_out_count=0),
        customer("k1_awake", last_day=ago(29), sent_count=6, cash_out_count=0),
        customer("k1_fresh", first_day=ago(29), sent_count=6, cash_out_count=0),
        customer("k1_known", first_day=ago(30), sent_count=3),
        customer("k1_cash", out_count=5, cash_out_count=4, sent_count=0),
        customer("k1_cash_of_own", in_count=0, out_count=5, cash_out_count=4, sent_count=0),
        customer("k1_pays", paid_count=3),
        customer("k1_receives", in_count=10, out_count=0, cash_out_count=0, sent_count=0, paid_count=0),
    )

    assert {token.removeprefix("k1_"): row["segment"] for token, row in rows.items()} == {
        "asleep": "dormant",
        "awake": "sender",
        "fresh": "new",
        "known": "sender",
        "cash": "cash_out_only",
        "cash_of_own": "occasional",
        "pays": "payer",
        "receives": "occasional",
    }
    told = {segment.name: (segment.reason, segment.next_best_action) for segment in SEGMENTS}
    assert all((row["reason"], row["next_best_action"]) == told[row["segment"]] for row in rows.values())


def test_fifths_are_of_the_customers_of_a_currency_and_equal_ones_are_alike():
    many = [
        customer(f"k1_{i:03d}", transaction_count=i + 1, amount=Decimal(i), last_day=ago(29 - i // 4))
        for i in range(100)
    ]
    foreign = [customer(f"k1_kes_{i}", currency="KES", transaction_count=1) for i in range(LEAST_CUSTOMERS)]

    rows = segment_of(*many, *foreign)

    assert [rows[f"k1_{i:03d}"]["frequency_score"] for i in (0, 19, 20, 50, 99)] == [1, 1, 2, 3, 5]
    assert {rows[f"k1_kes_{i}"]["frequency_score"] for i in range(LEAST_CUSTOMERS)} == {3}
    best, worst = rows["k1_099"], rows["k1_000"]
    assert (best["segment"], best["recency_score"], best["monetary_score"]) == ("champion", 5, 5)
    assert (worst["recency_score"], worst["monetary_score"]) == (1, 1)


def test_who_came_often_and_comes_no_more_is_slipping():
    many = [customer(f"k1_{i:03d}", transaction_count=100 - i, last_day=ago(29 - i // 4)) for i in range(100)]

    assert segment_of(*many)["k1_000"]["segment"] == "slipping"


def test_fifths_of_too_few_customers_are_null():
    rows = segment_of(*(customer(f"k1_{i}") for i in range(LEAST_CUSTOMERS - 1)))

    scores = ("recency_score", "frequency_score", "monetary_score")
    assert {row[name] for row in rows.values() for name in scores} == {None}
    assert set(rows["k1_0"]) == set(CUSTOMER_SEGMENTS.column_names)


def test_nobody_is_new_to_tables_that_are_new_themselves():
    fresh = customer("k1_fresh", first_day=ago(5), sent_count=6)

    assert segment_of(fresh, known_since=ago(59))["k1_fresh"]["segment"] == "sender"
    assert segment_of(fresh, known_since=ago(60))["k1_fresh"]["segment"] == "new"


def test_money_stays_decimal():
    assert segment_of(customer("k1_a", amount=Decimal("12345678901234567.1234")))["k1_a"]["amount"] == Decimal(
        "12345678901234567.1234"
    )
