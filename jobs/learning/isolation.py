"""How unusual a day of an agent or a customer is, by an isolation forest: pure, pandas in, Arrow out.

A forest of random cuts sets a day apart the sooner the less there is like it. Nobody says beforehand what fraud looks
like, so a score is a reason to look, not a finding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from jobs.errors import DependencyMissing, NotFound
from jobs.learning.arrow import table_of
from jobs.learning.measures import NORMAL, Numbers
from schemas.tables import Table

# Mean amount and parties of a transaction: sums are large wherever the count is, and the count is there already.
FEATURES = ("log_count", "log_mean_amount", "party_share", "active_hours", "round_share", "in_share")
# A tree sees so many days at most: with the usual 256 it ends before it has told odd days from rare ones.
PARAMETERS = {"n_estimators": 200, "max_samples": 1024, "random_state": 7}
OUTLIER_QUANTILE = 0.995
LEAST_DAYS = 200
LEAST_DAYS_OF_A_CURRENCY = 30
# Enough for the forest and for the quantiles.
MOST_DAYS = 100_000
# What differs by less than a tenth is not told apart where all days are alike.
_LEAST_SPREAD = 0.1


class Level(NamedTuple):
    """What is usual of a currency: median of the mean amount's logarithm, median and spread of the sum's."""

    mean: float
    amount: float
    amount_spread: float


@dataclass(frozen=True)
class DayModel:
    """What was trained: the forest, what is usual of each feature, and the scores of the trained days, in order.

    Sums of two currencies cannot be compared, so each has a level of its own.
    """

    forest: Any
    currencies: Mapping[str, Level]
    medians: Numbers
    spreads: Numbers
    trained_scores: Numbers

    @property
    def outlier_above(self) -> float:
        """The score that one trained day of 200 exceeds."""
        return float(np.quantile(self.trained_scores, OUTLIER_QUANTILE))


def train(days: pd.DataFrame) -> DayModel:
    """A model of these days (`history.agent_days`, `history.customer_days`), the same for the same days.

    Raises `NotFound` when they are too few, `DependencyMissing` without scikit-learn.
    """
    forest_of = _isolation_forest()
    common = days.groupby("currency")["entity"].transform("size") >= LEAST_DAYS_OF_A_CURRENCY
    known = days[common]
    if len(known) < LEAST_DAYS:
        raise NotFound(
            f"{len(known):,} days of {LEAST_DAYS_OF_A_CURRENCY} or more of a currency are there, {LEAST_DAYS} are "
            "needed to learn what is usual: give more days."
        )
    currencies = {str(name): _level(of_one) for name, of_one in known.groupby("currency")}
    if len(known) > MOST_DAYS:
        known = known.sample(MOST_DAYS, random_state=PARAMETERS["random_state"])
    matrix = feature_matrix(known, currencies)
    middles = np.array([_middle(column) for column in matrix.T])
    samples = min(PARAMETERS["max_samples"], len(matrix))
    forest = forest_of(**PARAMETERS | {"max_samples": samples}).fit(matrix)
    return DayModel(forest, currencies, middles[:, 0], middles[:, 1], np.sort(-forest.score_samples(matrix)))


def scored_days(days: pd.DataFrame, model: DayModel, version: int, table: Table, entity: str) -> pa.Table:
    """The days as rows of the table, whose column `entity` names whose they are."""
    days = days.reset_index(drop=True)
    is_known = days["currency"].isin(list(model.currencies)).to_numpy(bool)
    score, amount_z = (np.full(len(days), np.nan) for _ in range(2))
    reasons = np.full(len(days), "no day of this currency was trained on, or too few", dtype=object)
    if is_known.any():
        matrix = feature_matrix(days[is_known], model.currencies)
        score[is_known] = -model.forest.score_samples(matrix)
        amount_z[is_known] = _amount_z(days[is_known], model.currencies)
        reasons[is_known] = _reasons(matrix, score[is_known] > model.outlier_above, model)
    percentile = np.searchsorted(model.trained_scores, score) / len(model.trained_scores)
    has_score = pd.Series(is_known)
    counts = ("transaction_count", "distinct_parties", "active_hours")
    return table_of(
        table,
        {
            "day": days["day"],
            entity: days["entity"],
            "currency": days["currency"],
            "amount": days["amount"],
            **{name: days[name].astype("int64") for name in counts},
            "round_share": days["round_share"].astype(float),
            "in_share": days["in_share"].astype(float),
            "score": pd.Series(score),
            "percentile": pd.Series(percentile).where(has_score),
            "is_outlier": pd.Series(score > model.outlier_above).astype(object).where(has_score, None),
            "amount_z": pd.Series(amount_z),
            "model_version": version,
            "reason": reasons.tolist(),
        },
    )


def feature_matrix(days: pd.DataFrame, currencies: Mapping[str, Level]) -> Numbers:
    """A row per day in the order of `FEATURES`; the mean amount's logarithm is above or below its currency's median."""
    log_count = np.log(days["transaction_count"].to_numpy(float))
    columns = (
        log_count,
        _log_amount(days) - log_count - np.array([currencies[name].mean for name in days["currency"]]),
        days["distinct_parties"].to_numpy(float) / days["transaction_count"].to_numpy(float),
        days["active_hours"].to_numpy(float),
        days["round_share"].to_numpy(float),
        days["in_share"].to_numpy(float),
    )
    return np.column_stack(columns)


def _log_amount(days: pd.DataFrame) -> Numbers:
    log_amount: Numbers = np.log(days["amount"].to_numpy(float))
    return log_amount


def _amount_z(days: pd.DataFrame, currencies: Mapping[str, Level]) -> Numbers:
    """The plain rule, which knows the amount alone."""
    levels = np.array([currencies[name] for name in days["currency"]])
    return np.asarray((_log_amount(days) - levels[:, 1]) / levels[:, 2], dtype=np.float64)


def _level(days: pd.DataFrame) -> Level:
    log_amount, log_count = _log_amount(days), np.log(days["transaction_count"].to_numpy(float))
    return Level(_middle(log_amount - log_count)[0], *_middle(log_amount))


def _middle(values: Numbers) -> tuple[float, float]:
    """Median and spread."""
    median = float(np.median(values))
    return median, max(NORMAL * float(np.median(np.abs(values - median))), _LEAST_SPREAD)


def _reasons(matrix: Numbers, is_outlier: Any, model: DayModel) -> list[str]:
    off = (matrix - model.medians) / model.spreads
    most = np.abs(off).argmax(axis=1)
    return [
        f"most unusual is {FEATURES[place]}, {abs(row[place]):.1f} spreads {'above' if row[place] > 0 else 'below'}"
        if is_odd
        else "usual"
        for row, place, is_odd in zip(off, most, is_outlier, strict=True)
    ]


def _isolation_forest() -> Any:
    require_library()
    from sklearn.ensemble import IsolationForest

    return IsolationForest


def require_library() -> str:
    """The version of scikit-learn; raises `DependencyMissing` without it, for all else works without."""
    try:
        import sklearn
    except ImportError:
        raise DependencyMissing(
            "scikit-learn is not installed, which only `momo train` and its scores need: "
            "`.venv/bin/pip install 'scikit-learn>=1.6,<2'` (the extra `learn`), then try again."
        ) from None
    return str(sklearn.__version__)
