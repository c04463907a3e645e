"""The keys of the newest silver rows, in memory: what tells a repeat from a transaction that is new.

Spark's own operator for this goes through its whole state in every batch to find what has expired, so a batch costs
the more the more keys are kept. Here a key costs 16 bytes and a batch a few binary searches (docs/decisions.md).
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

Bits = NDArray[np.uint64]
Flags = NDArray[np.bool_]

# Keys are kept in so many runs at the least, of which the oldest is forgotten whole.
GENERATIONS = 8
# Any two secrets of 16 bytes: they make two hashes of one text independent.
_SECRETS = ("momostream.key.1", "momostream.key.2")


@dataclass(frozen=True)
class Keys:
    """Hashes of 128 bits, as two numbers each, so many that two keys never share one.

    Ten million keys hold two with the same hash once in 10^24 times.
    """

    high: Bits
    low: Bits

    def __len__(self) -> int:
        """How many."""
        return len(self.high)

    def __getitem__(self, rows: NDArray[np.intp] | Flags) -> "Keys":
        """The keys at these places, or where the flag is set."""
        return Keys(self.high[rows], self.low[rows])


def keys_of(references: pa.ChunkedArray, statuses: pa.ChunkedArray) -> Keys:
    """The keys of silver rows, by their references and statuses, neither of them null."""
    texts = references.to_numpy()
    # A few statuses in many rows: each is hashed once.
    few = statuses.combine_chunks().dictionary_encode()
    names, which = few.dictionary.to_numpy(zero_copy_only=False), few.indices.to_numpy()
    high, low = (_hash(texts, secret) ^ _hash(names, secret[::-1])[which] for secret in _SECRETS)
    return Keys(high, low)


def _hash(texts: NDArray[np.object_], secret: str) -> Bits:
    return pd.util.hash_array(texts, hash_key=secret, categorize=False)


@dataclass
class Remembered:
    """The newest `most` keys, or fewer by the oldest run: an eighth of them, or one batch where that is larger.

    Runs are sorted, the oldest first.
    """

    most: int
    _runs: list[Keys] = field(default_factory=list)

    def __len__(self) -> int:
        """How many are remembered now."""
        return sum(map(len, self._runs))

    def repeats(self, keys: Keys) -> Flags:
        """Which of these were there before, in memory or earlier among these; the others are remembered from now on."""
        order = np.lexsort((keys.low, keys.high))
        in_order = keys[order]
        known = np.zeros(len(keys), dtype=bool)
        # The sort keeps equal keys as they stood: all but the first repeat it.
        known[1:] = (in_order.high[1:] == in_order.high[:-1]) & (in_order.low[1:] == in_order.low[:-1])
        for run in self._runs:
            known |= _found(in_order, run)
        self._remember(in_order[~known])
        answer = np.empty(len(keys), dtype=bool)
        answer[order] = known
        return answer

    def _remember(self, run: Keys) -> None:
        """Add a sorted run. Runs of like size become one, so that there are few; past `most` the oldest goes."""
        if not len(run):
            return
        self._runs.append(run)
        largest = self.most // GENERATIONS
        while len(self._runs) > 1 and _are_alike(self._runs[-2], self._runs[-1], largest):
            self._runs[-2:] = [_merged(self._runs[-2], self._runs[-1])]
        while len(self) > self.most and len(self._runs) > 1:
            del self._runs[0]


def _are_alike(older: Keys, newer: Keys, largest: int) -> bool:
    return len(older) < 2 * len(newer) and len(older) + len(newer) <= largest


def _found(keys: Keys, run: Keys) -> Flags:
    at = np.minimum(np.searchsorted(run.high, keys.high), len(run) - 1)
    is_known: Flags = (run.high[at] == keys.high) & (run.low[at] == keys.low)
    return is_known


def _merged(older: Keys, newer: Keys) -> Keys:
    both = Keys(np.concatenate([older.high, newer.high]), np.concatenate([older.low, newer.low]))
    return both[np.argsort(both.high, kind="stable")]
