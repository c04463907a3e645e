"""The figures of a benchmark, as pure functions of what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RESAMPLES = 10_000


@dataclass(frozen=True)
class Ratio:
    """The median of a ratio over paired rounds, and the 95 % interval that a bootstrap over the rounds gives it."""

    median: float
    low: float
    high: float


def paired_ratio(values: Sequence[float], others: Sequence[float]) -> Ratio:
    """`values` over `others`, round by round; rounds are resampled in pairs, by the same draws in every run."""
    ratios = np.asarray(values, dtype=float) / np.asarray(others, dtype=float)
    drawn = np.random.default_rng(0).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(ratios[drawn], axis=1), [2.5, 97.5])
    return Ratio(float(np.median(ratios)), float(low), float(high))


def latency_percentiles(seconds: ArrayLike) -> dict[str, float]:
    """p50, p95, p99 and the largest of latencies, in seconds, each one that was observed; empty for none."""
    observed = np.asarray(seconds, dtype=float)
    if observed.size == 0:
        return {}
    p50, p95, p99 = np.percentile(observed, [50, 95, 99], method="higher")
    values = {"p50_s": p50, "p95_s": p95, "p99_s": p99, "max_s": observed.max()}
    return {name: round(float(value), 3) for name, value in values.items()}


def slope(times: ArrayLike, values: ArrayLike) -> float:
    """Units per second by which the values grow, as the straight line of least squares has it; 0 for fewer than two."""
    x, y = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    if len(x) < 2:
        return 0.0
    x = x - x.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum())


def first_reached(wanted: ArrayLike, totals: ArrayLike) -> Integers:
    """For each wanted count the place of the first total that has reached it; `len(totals)` where none has.

    A total that falls back for a while, as in a correction, has been reached all the same.
    """
    running = np.maximum.accumulate(np.asarray(totals, dtype=np.int64))
    return np.searchsorted(running, np.asarray(wanted, dtype=np.int64), side="left").astype(np.int64)
