"""The measures that rules are made of: what each counts, of whom, in which unit.

A measure adds up over a window's rows in whatever order they come; a derived one is computed of the totals of others.
Money is in ten-thousandths of the window's currency; what depends on a country's limits comes from `Amounts`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from jobs.alerts.movements import Bits, Flags, Ints, Movements
from jobs.alerts.totals import Combine

Kind = Literal["person", "agent", "pair", "row"]
Unit = Literal["count", "money", "percent", "thousandths"]

# Just below a limit: at least so much of it, in percent. A split deposit keeps closer to the top of its band.
JUST_BELOW_LIMIT, JUST_BELOW_BAND = 90, 95
# Of the first digits of amounts, by Benford.
_BENFORD = np.log10(1 + 1 / np.arange(1, 10))


@dataclass(frozen=True)
class Amounts:
    """What is near or round depends on the currency: its reporting limit, what amounts are round to, commission bands.

    All in ten-thousandths; a currency that is not named has none, and what needs one counts nothing there.
    """

    limit: Mapping[str, int] = field(default_factory=dict)
    round_to: Mapping[str, int] = field(default_factory=dict)
    commission_tops: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """Something that adds up. `of` gives the value of each movement, or for `distinct` what must differ to count.

    `where` says which movements count.
    """

    name: str
    kinds: tuple[Kind, ...]
    unit: Unit
    meaning: str
    where: Callable[[Movements, Amounts], Flags]
    of: Callable[[Movements], Ints] | None = None
    distinct: Callable[[Movements], Bits] | None = None
    combine: Combine = "sum"

    def values(self, movements: Movements, amounts: Amounts) -> Ints:
        """What each movement adds; of a distinct measure 1 where it may count."""
        counts = self.where(movements, amounts)
        value = self.of(movements) if self.of else np.ones(len(movements), np.int64)
        return np.where(counts, value, 0)


@dataclass(frozen=True)
class Derived:
    """Something that is computed of totals."""

    name: str
    kinds: tuple[Kind, ...]
    unit: Unit
    meaning: str
    needs: tuple[str, ...]
    of: Callable[..., Ints]


def _flags(*conditions: Flags) -> Flags:
    """Where all of them hold."""
    return np.asarray(np.logical_and.reduce(conditions))


def _paid(m: Movements) -> Flags:
    """Money that moved for its own sake, not to set something right."""
    return _flags(m.is_completed, ~m.of_type("reversal", "adjustment"))


def _all(*conditions: Callable[[Movements], Flags]) -> Callable[[Movements, Amounts], Flags]:
    def holds(m: Movements, _: Amounts) -> Flags:
        return _flags(*(condition(m) for condition in conditions))

    return holds


def _out(m: Movements) -> Flags:
    return m.is_out


def _in(m: Movements) -> Flags:
    return ~m.is_out


def _typed(*names: str) -> Callable[[Movements], Flags]:
    return lambda m: m.of_type(*names)


def _failed(m: Movements) -> Flags:
    return ~m.is_completed


def _completed(m: Movements) -> Flags:
    return m.is_completed


def _at_agent(m: Movements) -> Flags:
    is_at_one: Flags = m.agent != np.uint64(0)
    return is_at_one


def _between_businesses(m: Movements) -> Flags:
    return m.is_between_businesses


def _across_borders(m: Movements) -> Flags:
    is_across: Flags = np.logical_or(m.crosses_border, m.of_type("inttransfer"))
    return is_across


def _just_below_limit(*conditions: Callable[[Movements], Flags]) -> Callable[[Movements, Amounts], Flags]:
    def holds(m: Movements, amounts: Amounts) -> Flags:
        limit = m.by_currency(amounts.limit)
        near = (m.amount >= limit // 100 * JUST_BELOW_LIMIT, m.amount < limit)
        return _flags(*near, *(condition(m) for condition in conditions))

    return holds


def _just_below_band(*conditions: Callable[[Movements], Flags]) -> Callable[[Movements, Amounts], Flags]:
    def holds(m: Movements, amounts: Amounts) -> Flags:
        top = np.zeros(len(m), np.int64)
        for currency, tops in amounts.commission_tops.items():
            mine = m.by_currency({currency: 1}) == 1
            steps = np.append(np.array(sorted(tops), np.int64), 0)
            top[mine] = steps[np.searchsorted(steps[:-1], m.amount[mine])]
        near = (m.amount >= top // 100 * JUST_BELOW_BAND, m.amount <= top)
        return _flags(*near, *(condition(m) for condition in conditions))

    return holds


def _is_round(m: Movements, amounts: Amounts) -> Flags:
    unit = m.by_currency(amounts.round_to)
    return _flags(_paid(m), unit > 0, m.amount % np.maximum(unit, 1) == 0)


def _over_limit(m: Movements, amounts: Amounts) -> Flags:
    limit = m.by_currency(amounts.limit)
    return _flags(m.is_completed, limit > 0, m.amount >= limit)


def _first_digit(digit: int) -> Callable[[Movements], Flags]:
    def holds(m: Movements) -> Flags:
        power = 10 ** np.floor(np.log10(np.maximum(m.amount, 1)) + 1e-12).astype(np.int64)
        return np.asarray(np.equal(m.amount // power, digit))

    return holds


def _amount(m: Movements) -> Ints:
    return m.amount


def _other(m: Movements) -> Bits:
    return m.other


def _agent(m: Movements) -> Bits:
    return m.agent


def _amount_as_bits(m: Movements) -> Bits:
    return m.amount.astype(np.uint64)


def _benford(*digits: Ints) -> Ints:
    """Chi-square of the first digits against Benford's, in thousandths; 0 where there are none."""
    seen = np.array(digits, float)
    count = seen.sum(axis=0)
    expected = _BENFORD[:, None] * np.maximum(count, 1)
    return np.where(count > 0, 1000 * ((seen - expected) ** 2 / expected).sum(axis=0), 0).astype(np.int64)


def _percent(part: Ints, whole: Ints) -> Ints:
    """Whole percents, rounded down; 0 of nothing."""
    return np.where(whole > 0, part.astype(float) / np.maximum(whole, 1) * 100 + 1e-9, 0).astype(np.int64)


_PERSON: tuple[Kind, ...] = ("person",)
_AGENT: tuple[Kind, ...] = ("agent",)
_PAIR: tuple[Kind, ...] = ("pair",)
_ROW: tuple[Kind, ...] = ("row",)
_BETWEEN_PERSONS = ("transfer", "inttransfer")
_PAYMENTS = ("transfer", "merchantpay", "billpay", "inttransfer")
_DIGITS = tuple(f"first_digit_{digit}" for digit in range(1, 10))

MEASURES: tuple[Measure, ...] = (
    Measure("count_out", _PERSON, "count", "completed payments of the person, reversals apart", _all(_out, _paid)),
    Measure("sum_out", _PERSON, "money", "their sum", _all(_out, _paid), of=_amount),
    Measure("largest_out", _PERSON, "money", "the largest of them", _all(_out, _paid), of=_amount, combine="max"),
    Measure("count_in", _PERSON, "count", "completed payments to the person, reversals apart", _all(_in, _paid)),
    Measure("sum_in", _PERSON, "money", "their sum", _all(_in, _paid), of=_amount),
    Measure("largest_in", _PERSON, "money", "the largest of them", _all(_in, _paid), of=_amount, combine="max"),
    Measure("distinct_payees", _PERSON, "count", "different parties paid", _all(_out, _paid), distinct=_other),
    Measure("distinct_payers", _PERSON, "count", "different parties that paid", _all(_in, _paid), distinct=_other),
    Measure("received_count", _PERSON, "count", "transfers received", _all(_in, _completed, _typed(*_BETWEEN_PERSONS))),
    Measure("received_sum", _PERSON, "money", "their sum",
            _all(_in, _completed, _typed(*_BETWEEN_PERSONS)), of=_amount),
    Measure("transfers_out_sum", _PERSON, "money", "sum of transfers sent",
            _all(_out, _completed, _typed(*_BETWEEN_PERSONS)), of=_amount),
    Measure("distinct_agents", _PERSON, "count", "different agents of cash-in and cash-out",
            _all(_completed, _at_agent), distinct=_agent),
    Measure("reversed_count", _PERSON, "count", "reversals that took money from the person",
            _all(_out, _completed, _typed("reversal"))),
    Measure("regained_count", _PERSON, "count", "reversals that gave money back to the person",
            _all(_in, _completed, _typed("reversal"))),
    Measure("regained_sum", _PERSON, "money", "their sum", _all(_in, _completed, _typed("reversal")), of=_amount),
    Measure("just_below_limit_out", _PERSON, "count", "payments of the person just below the reporting limit",
            _just_below_limit(_out, _paid)),
    Measure("just_below_limit_in", _PERSON, "count", "payments to the person just below the reporting limit",
            _just_below_limit(_in, _paid)),
    Measure("across_borders_count", _PERSON, "count", "payments of the person to another country",
            _all(_out, _paid, _across_borders)),
    Measure("across_borders_sum", _PERSON, "money", "their sum", _all(_out, _paid, _across_borders), of=_amount),
    Measure("failed_count", _PERSON, "count", "failed transactions of the person as payer", _all(_out, _failed)),
    Measure("cash_in_count", ("person", "agent"), "count", "deposits: of a person as the customer, at an agent",
            _all(_in, _completed, _typed("deposit"))),
    Measure("cash_in_sum", ("person", "agent"), "money", "their sum",
            _all(_in, _completed, _typed("deposit")), of=_amount),
    Measure("cash_out_count", ("person", "agent"), "count", "withdrawals: of a person, at an agent",
            _all(_out, _completed, _typed("withdrawal"))),
    Measure("cash_out_sum", ("person", "agent"), "money", "their sum",
            _all(_out, _completed, _typed("withdrawal")), of=_amount),
    Measure("distinct_customers", _AGENT, "count", "different customers served", _all(_completed), distinct=_other),
    Measure("count", ("agent", "pair"), "count", "completed transactions, reversals apart", _all(_paid)),
    Measure("sum", ("agent", "pair"), "money", "their sum", _all(_paid), of=_amount),
    Measure("round_count", ("person", "agent"), "count", "payments of round amounts", _is_round),
    Measure("split_deposits", ("agent", "pair"), "count", "deposits just below the top of a commission band",
            _just_below_band(_completed, _typed("deposit"))),
    Measure("split_withdrawals", ("agent", "pair"), "count", "withdrawals just below the top of a commission band",
            _just_below_band(_completed, _typed("withdrawal"))),
    Measure("deposit_sum", _PAIR, "money", "sum of deposits", _all(_completed, _typed("deposit")), of=_amount),
    Measure("withdrawal_sum", _PAIR, "money", "sum of withdrawals", _all(_completed, _typed("withdrawal")), of=_amount),
    Measure("forth_sum", _PAIR, "money", "sum from one to the other, cash apart",
            _all(_out, _paid, _typed(*_PAYMENTS)), of=_amount),
    Measure("back_sum", _PAIR, "money", "sum the other way, cash apart",
            _all(_in, _paid, _typed(*_PAYMENTS)), of=_amount),
    Measure("business_count", _PAIR, "count", "transactions in which both are businesses",
            _all(_paid, _between_businesses)),
    Measure("payment_count", _PAIR, "count", "payments, cash and reversals apart",
            _all(_completed, _typed(*_PAYMENTS))),
    Measure("payment_amounts", _PAIR, "count", "different amounts among them",
            _all(_completed, _typed(*_PAYMENTS)), distinct=_amount_as_bits),
    *(
        Measure(name, _AGENT, "count", f"amounts that begin with {digit}", _all(_paid, _first_digit(digit)))
        for digit, name in enumerate(_DIGITS, start=1)
    ),
    Measure("amount", _ROW, "money", "the amount, when completed", _all(_completed), of=_amount),
    Measure("over_limit", _ROW, "count", "1 when a completed amount reaches the reporting limit", _over_limit),
)  # fmt: skip

DERIVED: tuple[Derived, ...] = (
    Derived("passed_through", _PERSON, "money", "what came in and went out again: the smaller of the two sums",
            ("sum_in", "sum_out"), np.minimum),
    Derived("passed_percent", _PERSON, "percent", "what went out of what came in",
            ("sum_out", "sum_in"), _percent),
    Derived("cash_turned", ("person", "agent"), "money", "cash-in that came out as cash, or the reverse",
            ("cash_in_sum", "cash_out_sum"), np.minimum),
    Derived("received_and_cashed", _PERSON, "money", "transfers received that left as cash",
            ("received_sum", "cash_out_sum"), np.minimum),
    Derived("drained_percent", _PERSON, "percent", "cash-out of what transfers brought",
            ("cash_out_sum", "received_sum"), _percent),
    Derived("turned_here", _PAIR, "money", "what was deposited and withdrawn between the two",
            ("deposit_sum", "withdrawal_sum"), np.minimum),
    Derived("both_ways", _PAIR, "money", "what went forth and came back, cash apart",
            ("forth_sum", "back_sum"), np.minimum),
    Derived("repeated_payments", _PAIR, "count", "payments of an amount that was paid before",
            ("payment_count", "payment_amounts"), np.subtract),
    Derived("round_percent", _AGENT, "percent", "transactions of round amounts",
            ("round_count", "count"), _percent),
    Derived("benford_deviation", _AGENT, "thousandths", "chi-square of first digits against Benford's law",
            _DIGITS, _benford),
)  # fmt: skip

_ALL: tuple[Measure | Derived, ...] = (*MEASURES, *DERIVED)
BY_NAME: Mapping[str, Measure | Derived] = {one.name: one for one in _ALL}


def added_up(names: Sequence[str]) -> list[Measure]:
    """The measures that these names need, derived ones by their parts; each once."""
    needed: dict[str, Measure] = {}
    for name in names:
        one = BY_NAME[name]
        parts = [BY_NAME[part] for part in one.needs] if isinstance(one, Derived) else [one]
        needed |= {part.name: part for part in parts if isinstance(part, Measure)}
    return list(needed.values())


def told(name: str, totals: Mapping[str, Ints]) -> Ints:
    """A measure's values by those of the ones that add up."""
    one = BY_NAME[name]
    return one.of(*(totals[part] for part in one.needs)) if isinstance(one, Derived) else totals[name]
