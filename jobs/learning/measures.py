"""What is judged of a window, and on which scale: one on which chance alone spreads all values alike.

On it a count of any size spreads by about 1 (Anscombe's square root), and so does a share of any number of attempts
(his arc sine). Money is judged by the mean of a window's transactions, for how many they are the count tells: even on
both sides is its logarithm, and it spreads the less the more they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
# Of normal values the standard deviation is so many times the median absolute deviation.
NORMAL = 1.4826


@dataclass(frozen=True)
class Measure:
    """A measure of windows with the columns `attempts`, `completed` and `amount`.

    `value` is NaN where a window has none, and is of as many transactions as the column `trials` says; a window shows
    it times that number where `is_sum`. `centre` is the middle of the values of each group. Both scales take values and
    trials. Values that differ by less than `least_spread` on the scale are not told apart.
    """

    name: str
    trials: str
    is_sum: bool
    value: Callable[[pd.DataFrame], Numbers]
    centre: Callable[[pd.DataFrame, Sequence[str]], "pd.Series[float]"]
    to_scale: Callable[[Numbers, Numbers], Numbers]
    from_scale: Callable[[Numbers, Numbers], Numbers]
    least_spread: float


def _attempts(windows: pd.DataFrame) -> Numbers:
    return windows["attempts"].to_numpy(float)


def _mean_amount(windows: pd.DataFrame) -> Numbers:
    return _ratio(windows["amount"], windows["completed"])


def _success_rate(windows: pd.DataFrame) -> Numbers:
    return _ratio(windows["completed"], windows["attempts"])


def _ratio(part: "pd.Series[float]", whole: "pd.Series[float]") -> Numbers:
    numbers = whole.to_numpy(float)
    ratio: Numbers = np.divide(part.to_numpy(float), numbers, np.full(len(part), np.nan), where=numbers > 0)
    return ratio


def _median(windows: pd.DataFrame, keys: Sequence[str]) -> "pd.Series[float]":
    return windows.groupby(list(keys), observed=True)["value"].median()


def _median_of_hours(windows: pd.DataFrame, keys: Sequence[str]) -> "pd.Series[float]":
    """Of the shares of whole hours: those of single windows are mostly 1, of two or three attempts."""
    hours = list(dict.fromkeys([*keys, "date", "hour_of_day"]))
    sums = windows.groupby(hours, observed=True)[["completed", "attempts"]].sum()
    return (sums["completed"] / sums["attempts"]).groupby(level=list(keys), observed=True).median()


def _root(count: Numbers, _trials: Numbers) -> Numbers:
    return 2 * np.sqrt(count + 3 / 8)


def _squared(root: Numbers, _trials: Numbers) -> Numbers:
    return np.maximum((np.maximum(root, 0) / 2) ** 2 - 3 / 8, 0)


def _logarithm(mean: Numbers, trials: Numbers) -> Numbers:
    return np.sqrt(trials) * np.log(mean)


def _power(logarithm: Numbers, trials: Numbers) -> Numbers:
    # The sum stays below the largest number of the column.
    return np.exp(np.minimum(logarithm / np.sqrt(trials), np.log(1e27 / trials)))


def _angle(share: Numbers, attempts: Numbers) -> Numbers:
    return 2 * np.sqrt(attempts + 1 / 2) * np.arcsin(np.sqrt((share * attempts + 3 / 8) / (attempts + 3 / 4)))


def _sine(angle: Numbers, attempts: Numbers) -> Numbers:
    half = np.clip(angle / (2 * np.sqrt(attempts + 1 / 2)), 0, np.pi / 2)
    share: Numbers = np.clip((np.sin(half) ** 2 * (attempts + 3 / 4) - 3 / 8) / attempts, 0, 1)
    return share


COUNT = Measure("count", "attempts", False, _attempts, _median, _root, _squared, least_spread=1.0)
# However even the past was: a fourth more or less of a hundred transactions' money is nothing.
AMOUNT = Measure("amount", "completed", True, _mean_amount, _median, _logarithm, _power, least_spread=0.5)
SUCCESS_RATE = Measure(
    "success_rate", "attempts", False, _success_rate, _median_of_hours, _angle, _sine, least_spread=1.0
)
