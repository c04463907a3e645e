"""Measures added up by key, in memory: what windows come to, whatever the order in which their rows came.

As with `jobs.remembered`, sorted runs of like size become one, so a batch costs a few binary searches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jobs.alerts.movements import Bits, Ints, places_in

Combine = Literal["sum", "max", "min"]

# A sum that is larger counts as this.
MOST = 9 * 10**18
# Hashes are added up too, so nothing must be below the smallest number and above the largest one.
_NOTHING = {"sum": 0, "max": np.iinfo(np.int64).min, "min": np.iinfo(np.int64).max}


@dataclass(frozen=True)
class Run:
    """Sorted keys without repeats, and a row of values for each measure."""

    keys: Bits
    values: NDArray[np.int64]

    def __len__(self) -> int:
        """How many keys."""
        return len(self.keys)


def different(keys: Bits) -> Bits:
    """Each key once, in order; numpy's own `unique` hashes, at ten times the price."""
    in_order = np.sort(keys)
    return in_order[np.concatenate([[True], in_order[1:] != in_order[:-1]])] if len(keys) else keys


def combined(keys: Bits, values: NDArray[np.int64], combine: Sequence[Combine]) -> Run:
    """One value of each measure for each different key."""
    if not len(keys):
        return Run(keys, values)
    order = np.argsort(keys, kind="stable")
    in_order = keys[order]
    first = np.flatnonzero(np.concatenate([[True], in_order[1:] != in_order[:-1]]))
    columns = [_reduced(column[order], first, how) for column, how in zip(values, combine, strict=True)]
    return Run(in_order[first], np.array(columns, np.int64).reshape(len(combine), len(first)))


def _reduced(column: Ints, first: NDArray[np.intp], how: Combine) -> Ints:
    if how != "sum":
        return np.asarray((np.maximum if how == "max" else np.minimum).reduceat(column, first))
    sums = np.add.reduceat(column, first)
    if float(column.max()) * len(column) > MOST:
        sums[np.add.reduceat(column.astype(float), first) > MOST] = MOST
    return np.asarray(sums)


def _both(how: Combine, a: Ints, b: Ints) -> Ints:
    if how == "sum":
        return a + np.minimum(b, MOST - a)
    return np.maximum(a, b) if how == "max" else np.minimum(a, b)


@dataclass
class Totals:
    """The values of all keys so far, in sorted runs, the oldest first."""

    combine: tuple[Combine, ...]
    _runs: list[Run] = field(default_factory=list)

    def __len__(self) -> int:
        """How many keys there are at the most."""
        return sum(map(len, self._runs))

    def add(self, run: Run) -> None:
        """Add what has come."""
        if len(run):
            self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            older, newer = self._runs[-2:]
            keys, values = np.concatenate([older.keys, newer.keys]), np.hstack([older.values, newer.values])
            self._runs[-2:] = [combined(keys, values, self.combine)]

    def of(self, keys: Bits) -> NDArray[np.int64]:
        """The values of these keys, a row for each measure."""
        nothing = np.array([[_NOTHING[how]] for how in self.combine], np.int64)
        found = np.broadcast_to(nothing, (len(self.combine), len(keys)))
        for run in self._runs:
            at, is_there = places_in(run.keys, keys)
            there = np.where(is_there, run.values[:, at], nothing)
            both = [_both(*columns) for columns in zip(self.combine, found, there, strict=True)]
            found = np.array(both, np.int64).reshape(found.shape)
        return found

    def among(self, keys: Bits) -> Bits:
        """Those of these keys that are there."""
        is_there = np.zeros(len(keys), bool)
        for run in self._runs:
            is_there |= places_in(run.keys, keys)[1]
        return keys[is_there]

    def keys(self) -> Bits:
        """All keys."""
        return different(np.concatenate([np.zeros(0, np.uint64), *(run.keys for run in self._runs)]))
