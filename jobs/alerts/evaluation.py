"""Which rules fire: the alerts are a function of silver's rows and the rules, whatever the order of the rows.

`Windows` adds rows up and keeps what is open in memory; of rows whose window it has forgotten it says so. The stream,
a backfill, a back-test and the rules' own examples all use it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256

import numpy as np
import pyarrow as pa

from jobs.alerts.movements import SCALE, Batch, Bits, Flags, Ints, Movements, hash_of
from jobs.alerts.rulebook import MICROSECONDS, Condition, Rule, Rulebook, Threshold, ten_thousandths
from jobs.alerts.totals import MOST, Combine, Totals, combined, different
from jobs.alerts.vocabulary import BY_NAME, Amounts, Measure, added_up, told
from jobs.remembered import Keys, Remembered

# Windows of one kind and length.
Windowing = tuple[str, int]
Touched = dict[Windowing, Bits]

_HOUR = 3600 * MICROSECONDS
_EVERYTHING = 2**62
# What is kept of each window besides the measures.
_ALWAYS: tuple[tuple[str, Combine], ...] = (("first_time", "min"), ("start", "max"), ("currency", "max"))


@dataclass(frozen=True)
class Fired:
    """A rule that a window, or a row, fulfils; `values` in the units of the vocabulary, times in microseconds."""

    rule: Rule
    key: int
    band: int
    start: int
    first_time: int
    values: Mapping[str, int]

    @property
    def windowing(self) -> Windowing:
        """Of which windows it is."""
        return self.rule.kind, self.rule.length

    def alert_id(self, entity: str, currency: str, reference: str) -> str:
        """The same for the same rule, version, entity, currency and window (of a row: transaction)."""
        window = reference if self.rule.scope == "row" else str(self.start)
        names = (self.rule.id, str(self.rule.version), entity, currency, window)
        return sha256("\n".join(names).encode()).hexdigest()[:32]

    def told_values(self) -> dict[str, str]:
        """The values as text, in units that people use."""
        return {name: _told_value(BY_NAME[name].unit, value) for name, value in self.values.items()}

    def reason(self, currency: str) -> str:
        """The rule's explanation of this case."""
        window = self.rule.window or "one transaction"
        band = self.rule.bands[self.band].name
        return self.rule.explanation.format_map(
            {**self.told_values(), "window": window, "currency": currency, "band": band}
        )

    def values_json(self) -> str:
        """The values as the table has them."""
        return json.dumps(self.told_values())


@dataclass
class _Block:
    """The totals of the windows that close together, and what was already seen of distinct measures."""

    totals: Totals
    seen: dict[str, Remembered]


@dataclass
class Windows:
    """Adds rows up for these rules. Windows that end by `closed_before` are not held; None holds all."""

    rulebook: Rulebook
    closed_before: int | None = None
    _blocks: dict[tuple[Windowing, int], _Block] = field(default_factory=dict)
    _of_rows: list[Fired] = field(default_factory=list)

    def windowings(self) -> list[Windowing]:
        """The kinds and lengths for which there are rules, those of single rows apart."""
        return sorted({(rule.kind, rule.length) for rule in self.rulebook.rules if rule.scope == "window"})

    def add(self, batch: Batch, only: Touched | None = None) -> tuple[Touched, Touched]:
        """Add rows, or those of some windows only; the windows that they touch, held and closed ones."""
        held: Touched = {}
        closed: Touched = {}
        for windowing in self.windowings():
            mine, keys = batch.movements[windowing[0]], batch.keys(*windowing)
            if only is not None:
                wanted = np.isin(keys, only.get(windowing, np.zeros(0, np.uint64)))
                mine, keys = mine[wanted], keys[wanted]
            is_held = self._is_held(mine, windowing[1])
            self._add_to_blocks(windowing, mine[is_held], keys[is_held])
            held[windowing], closed[windowing] = different(keys[is_held]), different(keys[~is_held])
        self._of_rows += self._fired_rows(batch)
        return held, closed

    def touched(self) -> Touched:
        """All windows that are held."""
        every: dict[Windowing, list[Bits]] = {windowing: [] for windowing in self.windowings()}
        for (windowing, _), block in self._blocks.items():
            every[windowing].append(block.totals.keys())
        none = np.zeros(0, np.uint64)
        return {windowing: different(np.concatenate([none, *keys])) for windowing, keys in every.items()}

    def fired(self, touched: Touched) -> list[Fired]:
        """The rules that these windows fulfil, as far as they are held, and the rows that were added since."""
        fired, self._of_rows = self._of_rows, []
        for (windowing, _), block in self._blocks.items():
            keys = touched.get(windowing, np.zeros(0, np.uint64))
            totals = dict(zip(self._names(windowing), block.totals.of(keys), strict=True))
            is_here = totals["start"] >= 0
            here = {name: values[is_here] for name, values in totals.items()}
            for rule in self.rulebook.of(*windowing):
                fired += _fulfilled(rule, keys[is_here], here)
        return fired

    def close(self, closed_before: int) -> None:
        """Forget the windows that end by this time."""
        self.closed_before = max(closed_before, self.closed_before or closed_before)
        for (windowing, start), _ in list(self._blocks.items()):
            if start + max(windowing[1], _HOUR) <= self.closed_before:
                del self._blocks[windowing, start]

    def _is_held(self, movements: Movements, length: int) -> Flags:
        if self.closed_before is None:
            return np.ones(len(movements), bool)
        # As long as its block is there: all of an hour's windows go together.
        span = max(length, _HOUR)
        return np.asarray(movements.starts(span) + span > self.closed_before)

    def _names(self, windowing: Windowing) -> list[str]:
        return [measure.name for measure in self._measures(windowing)] + [name for name, _ in _ALWAYS]

    def _measures(self, windowing: Windowing) -> list[Measure]:
        return added_up([name for rule in self.rulebook.of(*windowing) for name in rule.measures])

    def _add_to_blocks(self, windowing: Windowing, movements: Movements, keys: Bits) -> None:
        blocks = movements.starts(max(windowing[1], _HOUR))
        for start in different(blocks.astype(np.uint64)).astype(np.int64):
            mine = blocks == start
            measures = self._measures(windowing)
            block = self._blocks.setdefault((windowing, int(start)), _new_block(measures))
            here, mine_keys, amounts = movements[mine], keys[mine], self.rulebook.amounts
            columns = [_values(measure, here, mine_keys, amounts, block.seen) for measure in measures]
            columns += [here.time, here.starts(windowing[1]), here.currency.astype(np.int64)]
            block.totals.add(combined(mine_keys, np.array(columns), block.totals.combine))

    def _fired_rows(self, batch: Batch) -> list[Fired]:
        """Of rules that look at one row; what a row is does not change."""
        movements = batch.movements["row"]
        measures = self._measures(("row", 0))
        values = {measure.name: measure.values(movements, self.rulebook.amounts) for measure in measures}
        always = {
            "first_time": movements.time,
            "start": movements.time,
            "currency": movements.currency.astype(np.int64),
        }
        places = movements.row.astype(np.uint64)
        fired = [one for rule in self.rulebook.of("row", 0) for one in _fulfilled(rule, places, values | always)]
        keys = batch.row_keys(batch.rows.take(pa.array([one.key for one in fired], pa.int64())))
        return [replace(one, key=int(key)) for one, key in zip(fired, keys, strict=True)]


def _new_block(measures: Iterable[Measure]) -> _Block:
    measures = list(measures)
    combine = (*(measure.combine for measure in measures), *(how for _, how in _ALWAYS))
    return _Block(Totals(combine), {one.name: Remembered(_EVERYTHING) for one in measures if one.distinct})


def _values(measure: Measure, movements: Movements, keys: Bits, amounts: Amounts, seen: dict[str, Remembered]) -> Ints:
    """What each movement adds to its window: of a distinct measure 1 for the first of its kind."""
    values = measure.values(movements, amounts)
    if measure.distinct:
        counts = np.flatnonzero(values)
        values[counts] = ~seen[measure.name].repeats(Keys(keys[counts], measure.distinct(movements)[counts]))
    return values


def _fulfilled(rule: Rule, keys: Bits, totals: Mapping[str, Ints]) -> list[Fired]:
    values = {name: told(name, totals) for name in rule.measures}
    currency = totals["currency"].astype(np.uint64)
    holds = np.ones(len(keys), bool)
    for condition in rule.requires:
        holds &= _holds(condition, values[condition.measure], currency)
    band = np.full(len(keys), -1)
    for i, one in enumerate(rule.bands):
        band[values[rule.measure] >= _thresholds(rule.measure, one.at_least, currency, MOST)] = i
    return [
        Fired(
            rule=rule,
            key=int(keys[i]),
            band=int(band[i]),
            start=int(totals["start"][i]),
            first_time=int(totals["first_time"][i]),
            values={name: int(value[i]) for name, value in values.items()},
        )
        for i in np.flatnonzero(holds & (band >= 0))
    ]


def _holds(condition: Condition, values: Ints, currency: Bits) -> Flags:
    holds = np.ones(len(values), bool)
    if condition.at_least is not None:
        holds &= values >= _thresholds(condition.measure, condition.at_least, currency, MOST)
    if condition.at_most is not None:
        holds &= values <= _thresholds(condition.measure, condition.at_most, currency, -MOST)
    return holds


def _thresholds(measure: str, threshold: Threshold, currency: Bits, otherwise: int) -> Ints:
    """The threshold of each one's currency; a currency that is not named is never fulfilled."""
    if not isinstance(threshold, dict):
        return np.full(len(currency), _in_units(measure, threshold))
    found = np.full(len(currency), otherwise)
    for name, value in threshold.items():
        found[currency == hash_of(name)] = _in_units(measure, value)
    return found


def _in_units(measure: str, value: Decimal) -> int:
    unit = BY_NAME[measure].unit
    return ten_thousandths(value) if unit == "money" else int(value * 1000 if unit == "thousandths" else value)


def _told_value(unit: str, value: int) -> str:
    if unit == "money":
        return f"{(Decimal(value) / SCALE).normalize():f}"
    return f"{Decimal(value) / 1000:f}" if unit == "thousandths" else str(value)
