"""Scores of days by the isolation forest: odd days come first, also where the amount tells nothing."""

import sys

import pandas as pd
import pytest

from jobs.errors import DependencyMissing, NotFound
from jobs.learning import isolation
from schemas.tables import AGENT_DAY_SCORES
from tests.learning import trial, worlds

TRAINED = worlds.days(1000)


@pytest.fixture(scope="module")
def model():
    return isolation.train(TRAINED)


def scored(days, model):
    return isolation.scored_days(days, model, 3, AGENT_DAY_SCORES, "agent_id")


def test_odd_days_rank_before_usual_ones_where_the_amount_sees_nothing():
    *by_behaviour, by_sum = trial.ranks()

    # Of 2,005 days, at each seed.
    for what, by_forest, by_amount in by_behaviour:
        assert max(by_forest) <= 20, what
        assert min(by_amount) > 1000, what
    # A large sum alone is found by the plain rule, so that stands beside the score.
    _, by_forest, by_amount = by_sum
    assert set(by_amount) == {1}
    assert min(by_forest) > 1


def test_the_same_days_make_the_same_scores(model):
    days, _ = worlds.planted_days(50)

    assert scored(days, isolation.train(TRAINED)).equals(scored(days, model))


def test_an_outlier_says_what_is_odd_about_it(model):
    days, odd = worlds.planted_days(50)

    rows = {row["agent_id"]: row for row in scored(days, model).to_pylist()}

    assert {name for name in odd if rows[name]["is_outlier"]} == {"AG-SPLIT", "AG-LOOP", "AG-ODD"}
    assert rows["AG-RICH"]["amount_z"] > 4
    assert rows["AG-SPLIT"]["reason"].startswith("most unusual is party_share, ")
    assert rows["AG-SPLIT"]["percentile"] > 0.995
    assert rows["AG-SPLIT"]["model_version"] == 3
    assert rows["AG-UGX-00001"]["reason"] == "usual"
    assert rows["AG-UGX-00001"]["amount"] == days["amount"][1]


def test_sums_of_two_currencies_are_each_compared_with_their_own():
    """One shilling of Kenya is worth some thirty of Uganda: only the days of a currency tell what is much."""
    both = pd.concat([worlds.days(500), worlds.days(500, seed=8, currency="KES", scale=1 / 30)], ignore_index=True)
    model = isolation.train(both)

    rows = scored(both, model).to_pandas()

    middle = rows.groupby("currency")["amount_z"].median()
    assert middle.abs().max() < 1e-9
    assert rows["is_outlier"].mean() < 0.01


def test_a_day_of_a_currency_that_was_not_trained_on_has_no_score(model):
    days = pd.concat([worlds.days(3), worlds.days(2, currency="XOF")], ignore_index=True)

    rows = scored(days, model).to_pylist()

    unknown = [row for row in rows if row["currency"] == "XOF"]
    nothing = dict.fromkeys(["score", "percentile", "is_outlier", "amount_z"])
    nothing["reason"] = "no day of this currency was trained on, or too few"
    assert [row | nothing for row in unknown] == unknown
    assert len(unknown) == 2
    assert all(row["score"] is not None for row in rows if row["currency"] == "UGX")


def test_no_day_gives_no_row(model):
    assert scored(worlds.days(3).iloc[:0], model).num_rows == 0


def test_days_that_are_all_alike_divide_nothing_by_zero():
    alike = pd.concat([worlds.days(1)] * 300, ignore_index=True)

    rows = scored(alike, isolation.train(alike)).to_pylist()

    assert {row["amount_z"] for row in rows} == {0.0}
    assert {row["is_outlier"] for row in rows} == {False}


def test_too_few_days_are_refused_in_a_sentence():
    few_of_a_currency = pd.concat([worlds.days(190), worlds.days(29, currency="KES")])

    with pytest.raises(NotFound, match="190 days of 30 or more of a currency are there, 200 are needed"):
        isolation.train(few_of_a_currency)


def test_without_scikit_learn_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)

    with pytest.raises(DependencyMissing, match="scikit-learn is not installed") as refused:
        isolation.train(TRAINED)

    assert refused.value.exit_code == 69
