"""How sure a share is that was counted, and what a precision becomes where fraud is rarer."""

from dataclasses import dataclass
from math import sqrt

# Two-sided, 95 %.
Z = 1.959964
# Bank of Ghana: 14,655 cases in 6.8 bn transactions of 2023, 15,673 in 8.1 bn of 2024.
REAL_PREVALENCE = 2e-6


@dataclass(frozen=True)
class Share:
    """`hits` of `count`, with the Wilson interval of 95 %; all null where nothing was counted."""

    hits: int
    count: int
    value: float | None
    low: float | None
    high: float | None


def share(hits: int, count: int) -> Share:
    """The share and its interval, which is right for few and for extreme ones too (Wilson 1927)."""
    if count == 0:
        return Share(hits, count, None, None, None)
    found, z2 = hits / count, Z * Z
    middle = (found + z2 / (2 * count)) / (1 + z2 / count)
    half = Z / (1 + z2 / count) * sqrt(found * (1 - found) / count + z2 / (4 * count * count))
    # Of none and of all one end is known exactly, which floating point misses by a hair.
    low, high = middle - half if hits else 0.0, middle + half if hits < count else 1.0
    return Share(hits, count, found, low, high)


def at_prevalence(precision: float | None, measured: float, real: float = REAL_PREVALENCE) -> float | None:
    """What a precision at the `measured` prevalence of fraud becomes at the `real` one; null where it has none.

    Assumed is that each fraud is found as often, and each honest transaction raises an alert as often, at the one as at
    the other: then the odds of an alert scale as the odds of a fraud do.
    """
    if precision is None or not 0 < measured < 1:
        return None
    scale = (real / (1 - real)) / (measured / (1 - measured))
    return precision * scale / (precision * scale + (1 - precision))
