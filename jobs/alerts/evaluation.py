"""Which rules fire: the alerts are a function of silver's rows and the rules, whatever the order of the rows.

`Windows` adds rows up and keeps what is open in memory; of rows whose window it has forgotten it says so. The stream,
a backfill, a back-test and the rules' own examples all use it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from hashlib import sha256

import numpy as np
import pyarrow as pa

from jobs.alerts.facts import Facts, ten_thousandths
from jobs.alerts.history import PAST, Histories
from jobs.alerts.movements import SCALE, Batch, Bits, Flags, Ints, Movements, hash_of, mixed
from jobs.alerts.rulebook import MICROSECONDS, Condition, Rule, Rulebook, Threshold
from jobs.alerts.totals import MOST, Combine, Totals, combined, different
from jobs.alerts.vocabulary import BY_NAME, Measure, added_up, looks_back, told
from jobs.remembered import Keys, Remembered

# Windows of one kind and length, and how long after multiples of it they begin.
Windowing = tuple[str, int, int]
Touched = dict[Windowing, Bits]

_HOUR = 3600 * MICROSECONDS
_DAY = 24 * _HOUR
_FIRST_DAY = date(1970, 1, 1).toordinal()
_EVERYTHING = 2**62
# What is kept of each window besides the measures.
_ALWAYS: tuple[tuple[str, Combine], ...] = (
    ("first_time", "min"), ("start", "max"), ("currency", "max"), ("account", "max"),
)  # fmt: skip


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
        return self.rule.kind, self.rule.length, shift_of(self.rule.length, self.start)

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
    histories: Histories | None = None
    _blocks: dict[tuple[Windowing, int], _Block] = field(default_factory=dict)
    _of_rows: list[Fired] = field(default_factory=list)

    def windowings(self) -> list[Windowing]:
        """The windows for which there are rules, those of single rows apart."""
        of_windows = [rule for rule in self.rulebook.rules if rule.scope == "window"]
        return sorted({(rule.kind, rule.length, shift) for rule in of_windows for shift in rule.shifts})

    def add(self, batch: Batch, only: Touched | None = None) -> tuple[Touched, Touched]:
        """Add rows, or those of some windows only; the windows that they touch, held and closed ones."""
        held: Touched = {}
        closed: Touched = {}
        for windowing in self.windowings():
            mine, keys = batch.movements[windowing[0]], batch.keys(*windowing)
            if only is not None:
                wanted = np.isin(keys, only.get(windowing, np.zeros(0, np.uint64)))
                mine, keys = mine[wanted], keys[wanted]
            is_held = self._is_held(mine, windowing)
            self._add_to_blocks(windowing, self._with_strangers(mine[is_held], windowing), keys[is_held])
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
            # All keys of a kind of window are asked for in each of its hours or days, and are in one.
            keys = block.totals.among(touched.get(windowing, np.zeros(0, np.uint64)))
            totals = dict(zip(self._names(windowing), block.totals.of(keys), strict=True))
            totals |= self._past(windowing, totals["account"].astype(np.uint64), totals["start"])
            for rule in self.rulebook.of(*windowing):
                fired += _fulfilled(rule, keys, totals)
        return fired

    def close(self, closed_before: int) -> None:
        """Forget the windows that end by this time."""
        self.closed_before = max(closed_before, self.closed_before or closed_before)
        for (windowing, start), _ in list(self._blocks.items()):
            if start + max(windowing[1], _HOUR) <= self.closed_before:
                del self._blocks[windowing, start]

    def _is_held(self, movements: Movements, windowing: Windowing) -> Flags:
        if self.closed_before is None:
            return np.ones(len(movements), bool)
        _, length, shift = windowing
        # As long as its block is there: all of an hour's windows go together.
        span = max(length, _HOUR)
        return np.asarray(movements.starts(span, shift) + span > self.closed_before)

    def _past(self, windowing: Windowing, accounts: Bits, starts: Ints) -> dict[str, Ints]:
        """What the accounts of these windows did before, where a rule asks for it."""
        histories = self.histories
        if histories is None or not any(looks_back(rule.measures) for rule in self.rulebook.of(*windowing)):
            return dict.fromkeys(PAST, np.zeros(len(accounts), np.int64))
        past = {name: np.zeros(len(accounts), np.int64) for name in PAST}
        days = starts // _DAY
        for day in set(days.tolist()):
            of_day = days == day
            history = histories.before(date.fromordinal(_FIRST_DAY + day))
            for name, values in history.of(accounts[of_day]).items():
                past[name][of_day] = values
        return past

    def _with_strangers(self, movements: Movements, windowing: Windowing) -> Movements:
        """Where a rule asks for it: whether a person sends money to one with whom there was nothing before that day."""
        if self.histories is None or not any(one.of_strangers for one in self._measures(windowing)):
            return movements
        are_strangers = np.zeros(len(movements), bool)
        days = movements.time // _DAY
        for day in different(days.astype(np.uint64)).tolist():
            sent = np.flatnonzero((days == day) & movements.is_out & (movements.persons != np.uint64(0)))
            circle = self.histories.before(date.fromordinal(_FIRST_DAY + day)).circle
            are_strangers[sent] = circle.are_strangers(movements.entity[sent], movements.persons[sent])
        return replace(movements, is_to_stranger=are_strangers)

    def _names(self, windowing: Windowing) -> list[str]:
        return [measure.name for measure in self._measures(windowing)] + [name for name, _ in _ALWAYS]

    def _measures(self, windowing: Windowing) -> list[Measure]:
        return added_up([name for rule in self.rulebook.of(*windowing) for name in rule.measures])

    def _add_to_blocks(self, windowing: Windowing, movements: Movements, keys: Bits) -> None:
        _, length, shift = windowing
        blocks = movements.starts(max(length, _HOUR), shift)
        for start in different(blocks.astype(np.uint64)).astype(np.int64):
            mine = blocks == start
            measures = self._measures(windowing)
            block = self._blocks.setdefault((windowing, int(start)), _new_block(measures))
            here, mine_keys, facts = movements[mine], keys[mine], self.rulebook.facts
            columns = [_values(measure, here, mine_keys, facts, block.seen) for measure in measures]
            accounts = mixed(here.entity, here.currency)
            columns += [here.time, here.starts(length, shift)]
            columns += [here.currency.astype(np.int64), accounts.astype(np.int64)]
            block.totals.add(combined(mine_keys, np.array(columns), block.totals.combine))

    def _fired_rows(self, batch: Batch) -> list[Fired]:
        """Of rules that look at one row; what a row is does not change."""
        movements = batch.movements["row"]
        measures = self._measures(("row", 0, 0))
        values = {measure.name: measure.values(movements, self.rulebook.facts) for measure in measures}
        always = {
            "first_time": movements.time,
            "start": movements.time,
            "currency": movements.currency.astype(np.int64),
        }
        places = movements.row.astype(np.uint64)
        fired = [one for rule in self.rulebook.of("row", 0, 0) for one in _fulfilled(rule, places, values | always)]
        keys = batch.row_keys(batch.rows.take(pa.array([one.key for one in fired], pa.int64())))
        return [replace(one, key=int(key)) for one, key in zip(fired, keys, strict=True)]


def shift_of(length: int, start: int) -> int:
    """How long after a multiple of their length windows begin of which one has this start."""
    return start % length if length else 0


def _new_block(measures: Iterable[Measure]) -> _Block:
    measures = list(measures)
    combine = (*(measure.combine for measure in measures), *(how for _, how in _ALWAYS))
    return _Block(Totals(combine), {one.name: Remembered(_EVERYTHING) for one in measures if one.distinct})


def _values(measure: Measure, movements: Movements, keys: Bits, facts: Facts, seen: dict[str, Remembered]) -> Ints:
    """What each movement adds to its window: of a distinct measure 1 for the first of its kind."""
    values = measure.values(movements, facts)
    if measure.distinct:
        counts = np.flatnonzero(values)
        window, what = keys[counts], measure.distinct(movements)[counts]
        # A key's two numbers must each be its own: of one window alone, all of a window would share theirs.
        values[counts] = ~seen[measure.name].repeats(Keys(mixed(window, what), mixed(what, window)))
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
