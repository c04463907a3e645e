"""Customers by how lately, how often and how much they used their wallet, and for what: pure, pandas in, Arrow out.

Rules, no model: each segment can be told in a sentence, to the customer too. The first rule that fits counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from jobs.learning.arrow import table_of
from schemas.tables import CUSTOMER_SEGMENTS

DORMANT_DAYS = 30
NEW_DAYS = 30
# Fifths of fewer customers tell nothing.
LEAST_CUSTOMERS = 50


@dataclass(frozen=True)
class Segment:
    """Who belongs to it, why, and what to offer. `fits` is given one row per customer and currency."""

    name: str
    reason: str
    next_best_action: str
    fits: Callable[[pd.DataFrame], "pd.Series[bool]"]


def _share(part: str, whole: str) -> Callable[[pd.DataFrame], "pd.Series[float]"]:
    return lambda customers: customers[part] / customers[whole].where(customers[whole] > 0, 1)


_CASHED_OUT, _SENT, _PAID = (_share(part, "out_count") for part in ("cash_out_count", "sent_count", "paid_count"))

SEGMENTS = (
    Segment(
        "dormant",
        f"no transaction for {DORMANT_DAYS} days or more",
        "win back: one transfer without fee",
        lambda c: c["recency_days"] >= DORMANT_DAYS,
    ),
    Segment(
        "new",
        f"first transaction within the last {NEW_DAYS} days",
        "welcome: show the second service, a payment or airtime",
        lambda c: c["is_new"],
    ),
    Segment(
        "champion",
        "among the two upper fifths by lateness, frequency and amount",
        "keep: higher limits, a savings or credit offer",
        lambda c: (c[["recency_score", "frequency_score", "monetary_score"]] >= 4).all(axis=1),
    ),
    Segment(
        "slipping",
        "among the three upper fifths by frequency, and the two lower by lateness",
        "remind: a message before the next payday",
        lambda c: (c["frequency_score"] >= 3) & (c["recency_score"] <= 2),
    ),
    Segment(
        "cash_out_only",
        "receives, and four of five outgoing transactions are cash-outs",
        "show how to pay by phone: a first merchant payment without fee",
        lambda c: (c["in_count"] > 0) & (_CASHED_OUT(c) >= 0.8),
    ),
    Segment(
        "sender",
        "at least half of the outgoing transactions are transfers",
        "offer standing transfers and a bundle of fees",
        lambda c: _SENT(c) >= 0.5,
    ),
    Segment(
        "payer",
        "at least half of the outgoing transactions are payments of merchants and bills",
        "offer automatic bill payment and a loyalty scheme",
        lambda c: _PAID(c) >= 0.5,
    ),
    Segment("occasional", "none of the others", "nothing now: look again next month", lambda c: c["recency_days"] >= 0),
)


def segmented(activity: pd.DataFrame, day: date, known_since: date) -> pa.Table:
    """Customers at the end of a day, as rows of `gold_customer_segments`.

    `activity` is that of `history.customer_activity`. Nobody is new to tables that began less than 60 days before.
    """
    is_old_enough = known_since <= day - timedelta(days=2 * NEW_DAYS)
    newest = pd.Series([(day - first).days < NEW_DAYS for first in activity["first_day"]], dtype=bool)
    recency = pd.Series([(day - last).days for last in activity["last_day"]], dtype="int64")
    customers = activity.reset_index(drop=True).assign(recency_days=recency, is_new=newest & is_old_enough)
    customers = customers.assign(
        recency_score=_fifths(customers, -customers["recency_days"]),
        frequency_score=_fifths(customers, customers["transaction_count"]),
        monetary_score=_fifths(customers, customers["amount"].astype(float)),
    )
    place = np.argmax(np.column_stack([segment.fits(customers).to_numpy(bool) for segment in SEGMENTS]), axis=1)
    chosen = [SEGMENTS[i] for i in place]
    kept = ("customer_token", "currency", "recency_days", "active_days", "transaction_count", "amount")
    scores = ("recency_score", "frequency_score", "monetary_score")
    return table_of(
        CUSTOMER_SEGMENTS,
        {
            "day": day,
            **{name: customers[name] for name in kept},
            **{
                name: customers[name].astype("Int64").astype(object).where(customers[name].notna(), None)
                for name in scores
            },
            "segment": [segment.name for segment in chosen],
            "reason": [segment.reason for segment in chosen],
            "next_best_action": [segment.next_best_action for segment in chosen],
        },
    )


def _fifths(customers: pd.DataFrame, values: "pd.Series[float]") -> "pd.Series[float]":
    """1 to 5 within the currency, equal values alike; NaN where its customers are too few."""
    groups = values.groupby(customers["currency"])
    fifth = pd.Series(np.ceil(groups.rank(pct=True) * 5), index=values.index)
    return fifth.where(groups.transform("size") >= LEAST_CUSTOMERS)
