"""The measures that rules are made of: what each counts, of whom, in which unit.

A measure adds up over a window's rows in whatever order they come; a derived one is computed of the totals of others.
Money is in ten-thousandths of the window's currency; limits and where agents stand, which no row says, are in `Facts`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jobs.alerts.facts import DEGREE, Facts
from jobs.alerts.movements import Bits, Flags, Ints, Movements
from jobs.alerts.totals import Combine
from jobs.rules import TRANSFERS

Kind = Literal["person", "agent", "business", "pair", "row"]
Unit = Literal["count", "money", "percent", "thousandths", "kilometres"]

# Just below a limit: at least so much of it, in percent. A split deposit keeps closer to the top of its band.
JUST_BELOW_LIMIT, JUST_BELOW_BAND = 80, 88
_EARTH_KILOMETRES = 6371
# Of the first digits of amounts, by Benford.
_BENFORD = np.log10(1 + 1 / np.arange(1, 10))


@dataclass(frozen=True)
class _Named:
    """What each says of itself: of whom it can be, and in which unit."""

    name: str
    kinds: tuple[Kind, ...]
    unit: Unit
    meaning: str


@dataclass(frozen=True)
class Measure(_Named):
    """Something that adds up. `of` gives the value of each movement, or for `distinct` what must differ to count.

    `where` says which movements count; one `of_strangers` needs to know who knew whom.
    """

    where: Callable[[Movements, Facts], Flags]
    of: Callable[[Movements, Facts], Ints] | None = None
    distinct: Callable[[Movements], Bits] | None = None
    combine: Combine = "sum"
    of_strangers: bool = False

    def values(self, movements: Movements, facts: Facts) -> Ints:
        """What each movement adds; of a distinct measure 1 where it may count."""
        counts = self.where(movements, facts)
        value = self.of(movements, facts) if self.of else np.ones(len(movements), np.int64)
        return np.where(counts, value, 0)


@dataclass(frozen=True)
class Past(_Named):
    """Something that an account did before the window's day."""


@dataclass(frozen=True)
class Derived(_Named):
    """Something that is computed of totals."""

    needs: tuple[str, ...]
    of: Callable[..., Ints]


def _flags(*conditions: Flags) -> Flags:
    """Where all of them hold."""
    return np.asarray(np.logical_and.reduce(conditions))


def _paid(m: Movements) -> Flags:
    """Money that moved for its own sake, not to set something right."""
    return _flags(m.is_completed, ~m.of_type("reversal", "adjustment"))


def _to_stranger(m: Movements) -> Flags:
    return m.is_to_stranger


def _all(*conditions: Callable[[Movements], Flags]) -> Callable[[Movements, Facts], Flags]:
    def holds(m: Movements, _: Facts) -> Flags:
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


def _just_below_limit(*conditions: Callable[[Movements], Flags]) -> Callable[[Movements, Facts], Flags]:
    def holds(m: Movements, facts: Facts) -> Flags:
        limit = m.by_currency(facts.limit)
        near = (m.amount >= limit // 100 * JUST_BELOW_LIMIT, m.amount < limit)
        return _flags(*near, *(condition(m) for condition in conditions))

    return holds


def _just_below_band(*conditions: Callable[[Movements], Flags]) -> Callable[[Movements, Facts], Flags]:
    def holds(m: Movements, facts: Facts) -> Flags:
        top = np.zeros(len(m), np.int64)
        for currency, tops in facts.commission_tops.items():
            mine = m.by_currency({currency: 1}) == 1
            steps = np.append(np.array(sorted(tops), np.int64), 0)
            top[mine] = steps[np.searchsorted(steps[:-1], m.amount[mine])]
        near = (m.amount >= top // 100 * JUST_BELOW_BAND, m.amount <= top)
        return _flags(*near, *(condition(m) for condition in conditions))

    return holds


def _is_round(m: Movements, facts: Facts) -> Flags:
    unit = m.by_currency(facts.round_to)
    return _flags(_paid(m), unit > 0, m.amount % np.maximum(unit, 1) == 0)


def _over_limit(m: Movements, facts: Facts) -> Flags:
    limit = m.by_currency(facts.limit)
    return _flags(m.is_completed, limit > 0, m.amount >= limit)


def _first_digit(digit: int) -> Callable[[Movements], Flags]:
    def holds(m: Movements) -> Flags:
        power = 10 ** np.floor(np.log10(np.maximum(m.amount, 1)) + 1e-12).astype(np.int64)
        return np.asarray(np.equal(m.amount // power, digit))

    return holds


def _amount(m: Movements, _: Facts) -> Ints:
    return m.amount


def _north(m: Movements, facts: Facts) -> Ints:
    return facts.places.of(m.agent, facts.places.latitude)


def _south(m: Movements, facts: Facts) -> Ints:
    north = _north(m, facts)
    return np.where(north > 0, 180 * DEGREE - north, 0)


def _east(m: Movements, facts: Facts) -> Ints:
    return facts.places.of(m.agent, facts.places.longitude)


def _west(m: Movements, facts: Facts) -> Ints:
    east = _east(m, facts)
    return np.where(east > 0, 360 * DEGREE - east, 0)


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


def _kilometres(north: Ints, south: Ints, east: Ints, west: Ints) -> Ints:
    """Between the outermost corners, as the crow flies; 0 of one place, or of none."""
    top, bottom = np.radians(north / DEGREE - 90), np.radians(90 - south / DEGREE)
    across = np.radians((east + west) / DEGREE - 360)
    half = np.sin((top - bottom) / 2) ** 2 + np.cos(top) * np.cos(bottom) * np.sin(across / 2) ** 2
    reach = 2 * _EARTH_KILOMETRES * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
    kilometres: Ints = np.where((north > 0) & (east > 0), reach, 0).astype(np.int64)
    return kilometres


def _rounds(in_count: Ints, payers: Ints, out_count: Ints, payees: Ints) -> Ints:
    rounds: Ints = np.minimum(in_count - payers, out_count - payees)
    return rounds


def _compared(before: Ints, now: Ints) -> Ints:
    return before + np.maximum(now - 1, 0)


def _times_usual(largest: Ints, before: Ints, total: Ints, count: Ints) -> Ints:
    """By the larger of the two."""
    return _times(largest, np.maximum(before, (total - largest) // np.maximum(count - 1, 1)))


def _times(value: Ints, usual: Ints) -> Ints:
    """Rounded down; 0 times nothing."""
    times: Ints = np.where(usual > 0, value // np.maximum(usual, 1), 0)
    return times


def _of_mean(largest: Ints, count: Ints, total: Ints) -> Ints:
    return _percent(largest, total // np.maximum(count, 1))


def _percent(part: Ints, whole: Ints) -> Ints:
    """Whole percents, rounded down; 0 of nothing."""
    return np.where(whole > 0, part.astype(float) / np.maximum(whole, 1) * 100 + 1e-9, 0).astype(np.int64)


_PERSON: tuple[Kind, ...] = ("person",)
_AGENT: tuple[Kind, ...] = ("agent",)
_BUSINESS: tuple[Kind, ...] = ("business",)
_PAIR: tuple[Kind, ...] = ("pair",)
_ROW: tuple[Kind, ...] = ("row",)
_PAYMENTS = (*TRANSFERS, "merchantpay", "billpay")
_CORNERS = ("northmost", "southmost", "eastmost", "westmost")
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
    Measure("received_count", _PERSON, "count", "transfers received", _all(_in, _completed, _typed(*TRANSFERS))),
    Measure("received_sum", _PERSON, "money", "their sum",
            _all(_in, _completed, _typed(*TRANSFERS)), of=_amount),
    Measure("transfers_out_sum", _PERSON, "money", "sum of transfers sent",
            _all(_out, _completed, _typed(*TRANSFERS)), of=_amount),
    Measure("transfers_out_count", _PERSON, "count", "transfers sent", _all(_out, _completed, _typed(*TRANSFERS))),
    Measure("largest_transfer", _PERSON, "money", "the largest of them",
            _all(_out, _completed, _typed(*TRANSFERS)), of=_amount, combine="max"),
    Measure("unfamiliar_payees", _PERSON, "count", "strangers to whom transfers were sent",
            _all(_out, _completed, _typed(*TRANSFERS), _to_stranger), distinct=_other, of_strangers=True),
    Measure("unfamiliar_sum", _PERSON, "money", "sum of transfers to strangers",
            _all(_out, _completed, _typed(*TRANSFERS), _to_stranger), of=_amount, of_strangers=True),
    Measure("unfamiliar_largest", _PERSON, "money", "the largest of them",
            _all(_out, _completed, _typed(*TRANSFERS), _to_stranger), of=_amount, combine="max", of_strangers=True),
    Measure("distinct_agents", _PERSON, "count", "different agents of cash-in and cash-out",
            _all(_completed, _at_agent), distinct=_agent),
    Measure("reversed_count", _PERSON, "count", "reversals that took money from the person",
            _all(_out, _completed, _typed("reversal"))),
    Measure("reversed_sum", _PERSON, "money", "their sum", _all(_out, _completed, _typed("reversal")), of=_amount),
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
    Measure("payment_sum", _PAIR, "money", "sum of payments, cash and reversals apart",
            _all(_completed, _typed(*_PAYMENTS)), of=_amount),
    Measure("float_out_count", _BUSINESS, "count", "payments to other businesses", _all(_out, _paid)),
    Measure("float_out_sum", _BUSINESS, "money", "their sum", _all(_out, _paid), of=_amount),
    Measure("float_payees", _BUSINESS, "count", "different businesses paid", _all(_out, _paid), distinct=_other),
    Measure("float_payers", _BUSINESS, "count", "different businesses that paid", _all(_in, _paid), distinct=_other),
    Measure("float_in_count", _BUSINESS, "count", "payments by other businesses", _all(_in, _paid)),
    Measure("float_in_sum", _BUSINESS, "money", "their sum", _all(_in, _paid), of=_amount),
    *(
        Measure(name, _PERSON, "count", f"the {name} agent's place, for reach_km",
                _all(_completed, _typed("withdrawal")), of=of, combine="max")
        for name, of in zip(_CORNERS, (_north, _south, _east, _west), strict=True)
    ),
    *(
        Measure(name, _AGENT, "count", f"amounts that begin with {digit}", _all(_paid, _first_digit(digit)))
        for digit, name in enumerate(_DIGITS, start=1)
    ),
    Measure("amount", _ROW, "money", "the amount, when completed", _all(_completed), of=_amount),
    Measure("over_limit", _ROW, "count", "1 when a completed amount reaches the reporting limit", _over_limit),
)  # fmt: skip

PASTS: tuple[Past, ...] = (
    Past("usual_count", _PERSON, "count", "transfers that the person sent in the 30 days before"),
    Past("usual_largest", _PERSON, "money", "the largest of them"),
    Past("quiet_days", _PERSON, "count", "days without any use before, of an account that was used in the last 400"),
)

DERIVED: tuple[Derived, ...] = (
    Derived("compared_count", _PERSON, "count", "other transfers, of before and now, that the largest is compared with",
            ("usual_count", "transfers_out_count"), _compared),
    Derived("times_usual", _PERSON, "count",
            "how often the largest transfer of before, or the mean of the others of now, is in the largest of now",
            ("largest_transfer", "usual_largest", "transfers_out_sum", "transfers_out_count"), _times_usual),
    Derived("unfamiliar_times_usual", _PERSON, "count",
            "how often the largest transfer of the 30 days before is in the largest transfer to a stranger",
            ("unfamiliar_largest", "usual_largest"), _times),
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
    Derived("cashed_of_reversed_percent", _PERSON, "percent", "cash-out of what reversals took from the person",
            ("cash_out_sum", "reversed_sum"), _percent),
    Derived("largest_of_mean_percent", _PERSON, "percent", "the largest transfer sent, of the mean of all",
            ("largest_transfer", "transfers_out_count", "transfers_out_sum"), _of_mean),
    Derived("passed_on", _PERSON, "money", "transfers received that went out again in whatever way",
            ("received_sum", "sum_out"), np.minimum),
    Derived("passed_on_percent", _PERSON, "percent", "what went out of what transfers brought",
            ("sum_out", "received_sum"), _percent),
    Derived("reach_km", _PERSON, "kilometres", "between the outermost agents at whom the person took out cash",
            _CORNERS, _kilometres),
    Derived("float_rounds", _BUSINESS, "count",
            "how often money came again from a business that had paid before, and went again to one that had been paid",
            ("float_in_count", "float_payers", "float_out_count", "float_payees"), _rounds),
    Derived("float_turned", _BUSINESS, "money", "money of businesses that went to businesses again",
            ("float_in_sum", "float_out_sum"), np.minimum),
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

_ALL: tuple[Measure | Past | Derived, ...] = (*MEASURES, *PASTS, *DERIVED)
BY_NAME: Mapping[str, Measure | Past | Derived] = {one.name: one for one in _ALL}


def added_up(names: Sequence[str]) -> list[Measure]:
    """The measures that these names need, derived ones by their parts; each once."""
    needed: dict[str, Measure] = {}
    for name in names:
        one = BY_NAME[name]
        parts = [BY_NAME[part] for part in one.needs] if isinstance(one, Derived) else [one]
        needed |= {part.name: part for part in parts if isinstance(part, Measure)}
    return list(needed.values())


def looks_back(names: Sequence[str]) -> bool:
    """Whether one of these needs to know what was before the window's day."""
    parts = (one.needs if isinstance(one := BY_NAME[name], Derived) else (name,) for name in names)
    return any(isinstance(BY_NAME[part], Past) for some in parts for part in some)


def told(name: str, totals: Mapping[str, Ints]) -> Ints:
    """A measure's values by those of the ones that add up."""
    one = BY_NAME[name]
    return one.of(*(totals[part] for part in one.needs)) if isinstance(one, Derived) else totals[name]
