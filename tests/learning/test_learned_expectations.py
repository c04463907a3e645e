"""What was learned is checked once there is some: one good row per table, and values that must be noticed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from jobs.expectations import check_rows, tables_named
from jobs.lake import Lake
from jobs.learning.segments import SEGMENTS
from schemas.tables import (
    AGENT_DAY_SCORES,
    AGENT_LIQUIDITY,
    ANOMALIES,
    CUSTOMER_DAY_SCORES,
    CUSTOMER_SEGMENTS,
    LEARNED,
)
from tests.learning.worlds import DAY, MIDNIGHT
from tests.pipeline.test_expectations import failing, frame, judged, suite_of

SCORES = dict(
    currency="UGX", transaction_count=6, amount=Decimal(600), distinct_parties=2, active_hours=3, round_share=1.0,
    in_share=0.0, score=0.4, percentile=0.5, is_outlier=False, amount_z=-0.5, model_version=1, reason="usual",
)  # fmt: skip
HOURS = [Decimal(n) for n in range(24)]
# Columns in the table's order, but for the day.
ROWS = {
    ANOMALIES: dict(
        window_start=MIDNIGHT, window_minutes=5, entity_type="agent", entity="AG-1", currency="UGX", measure="count",
        observed=Decimal(9), expected=Decimal(3), expected_low=Decimal(1), expected_high=Decimal(5), score=5.5,
        is_anomaly=True, baseline="overall", history_windows=40, reason="above",
    ),
    AGENT_LIQUIDITY: dict(
        agent_id="AG-1", currency="UGX", history_days=20, method="daily", cumulative_net_float=HOURS,
        cumulative_low=[hour - 1 for hour in HOURS], cumulative_high=HOURS, float_amount=Decimal(100),
        runs_out_at=MIDNIGHT + timedelta(hours=30), runs_out_earliest=MIDNIGHT + timedelta(hours=25),
        runs_out_latest=None, tested_days=14, profile_error=Decimal(1), plain_error=Decimal(2), beats_plain=True,
        reason="nearer",
    ),
    AGENT_DAY_SCORES: dict(agent_id="AG-1", **SCORES),
    CUSTOMER_DAY_SCORES: dict(customer_token="k1_a", **SCORES),
    CUSTOMER_SEGMENTS: dict(
        customer_token="k1_a", currency="UGX", recency_days=3, active_days=2, transaction_count=4, amount=Decimal(9),
        recency_score=1, frequency_score=2, monetary_score=3, segment="new", reason="why", next_best_action="welcome",
    ),
}  # fmt: skip

ONCE = "Each key is here once a day."
KEY = "No part of a key is missing, and each row says why in words."
MEASURES = "Measures are counts, money and shares, none of them negative."
EXPLAINED = "A score has all that it is explained by, and without one there is nothing of it."
HOURLY = "A forecast has 24 hours, each within its bounds, and without a method there is none."
OFFERED = "A profile is offered where it was no worse than the plain rule."
RUNS_OUT = (
    "A float runs out in the day after, not before the earliest hour nor after the latest, and only one that is known."
)
ENOUGH = "There are enough transactions with an amount, and no more parties or hours than these."
SCORED = "A score and its percentile are from 0 to 1, and without a score there is nothing of it."
OF_90_DAYS = "There are transactions with an amount within 90 days, on no more days than these."
FIFTHS = "Scores are fifths, all three or none."
OF_SCORES = [
    ("distinct_parties", "7", ENOUGH),
    ("transaction_count", "4", ENOUGH),
    ("active_hours", "0", ENOUGH),
    ("in_share", "1.1", "Shares are from 0 to 1."),
    ("round_share", "NULL", "Shares are from 0 to 1."),
    ("score", "1.1", SCORED),
    ("score", "NULL", SCORED),
    ("is_outlier", "NULL", SCORED),
    ("model_version", "NULL", "A row names the model that looked at it."),
]
# Column, what it is made to say, and the expectation that must notice.
TAMPERED = {
    ANOMALIES: [
        ("entity", "entity", ONCE),
        ("reason", "NULL", KEY),
        ("day", "date_add(day, 1)", "A window is of the day, UTC, and of a minute or five."),
        ("window_minutes", "1", "A window is of the day, UTC, and of a minute or five."),
        ("observed", "-0.0001", MEASURES),
        ("measure", "'success_rate'", MEASURES),
        ("score", "NULL", EXPLAINED),
        ("baseline", "NULL", EXPLAINED),
        ("expected", "5.0001", "What is expected lies within its bounds."),
        ("is_anomaly", "false", "An anomaly is more than five spreads off."),
        ("score", "5.0", "An anomaly is more than five spreads off."),
    ],
    AGENT_LIQUIDITY: [
        ("agent_id", "agent_id", ONCE),
        ("agent_id", "NULL", KEY),
        ("cumulative_net_float", "slice(cumulative_net_float, 1, 23)", HOURLY),
        ("cumulative_high", "transform(cumulative_high, hour -> CAST(hour - 0.0001 AS DECIMAL(32, 4)))", HOURLY),
        ("method", "NULL", HOURLY),
        ("beats_plain", "false", OFFERED),
        ("profile_error", "2.0001", OFFERED),
        ("runs_out_at", "runs_out_earliest - INTERVAL 1 SECOND", RUNS_OUT),
        ("runs_out_latest", "runs_out_at - INTERVAL 1 SECOND", RUNS_OUT),
        ("float_amount", "NULL", RUNS_OUT),
    ],
    AGENT_DAY_SCORES: [("agent_id", "agent_id", ONCE), ("agent_id", "NULL", KEY), *OF_SCORES],
    CUSTOMER_DAY_SCORES: [("currency", "currency", ONCE), ("reason", "NULL", KEY), *OF_SCORES],
    CUSTOMER_SEGMENTS: [
        ("customer_token", "customer_token", ONCE),
        (
            "next_best_action",
            "NULL",
            "No part of a key is missing, and each row says why in words and what to offer.",
        ),
        ("recency_days", "90", OF_90_DAYS),
        ("active_days", "5", OF_90_DAYS),
        ("monetary_score", "6", FIFTHS),
        ("recency_score", "NULL", FIFTHS),
        ("segment", "'rich'", "A segment is one of those that are told of."),
    ],
}


@pytest.mark.parametrize("table", LEARNED, ids=lambda table: table.name)
def test_what_was_learned_is_judged_by_its_keys_scores_and_bounds(spark, table):
    good = frame(spark, [tuple(({"day": DAY} | ROWS[table]).values())], table)
    assert failing(check_rows(good, suite_of(table))) == []

    by_sentence = {e.description: e for e in suite_of(table).expectations}
    for column, value, sentence in TAMPERED[table]:
        bad = good.union(good.withColumn(column, F.expr(value)))
        assert failing(judged(bad, by_sentence[sentence])) == [sentence], (column, value)


def test_every_expectation_of_what_was_learned_is_broken_above():
    for table in LEARNED:
        _, *sentences = (e.description for e in suite_of(table).expectations)
        assert set(sentences) == {sentence for _, _, sentence in TAMPERED[table]}


def test_the_segments_that_may_be_are_those_that_are_given():
    (segments,) = (e for e in suite_of(CUSTOMER_SEGMENTS).expectations if e.type == "expect_column_values_to_be_in_set")

    assert segments.kwargs["value_set"] == [segment.name for segment in SEGMENTS]


def test_a_lake_that_nobody_learned_from_has_nothing_of_it_to_check(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.create()

    assert not set(tables_named(lake, None)) & set(LEARNED)
