"""What a typology is played with: chance, a market, the people of it, and how long it may last."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from producers.markets import MARKETS, Market
from producers.parties import draw_parties

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
# From the pending to the final event of a planted transaction, seconds: who depends on money waits for longer.
LONGEST_WAIT_SECONDS = 20
# Of those who take part, how many are unknown to the ordinary traffic: an account may be as new as it is old.
STRANGER_RATE = 0.3
# Numbers of their own for the strangers of each case.
STRANGERS_PER_CASE = 64


class Payment(NamedTuple):
    """One completed transaction of a case, `at_ms` after the case begins (before it where that is negative).

    `product` is the sub-type of one in `PRODUCTS`, parties are numbers within their kind and market, `reverses` is the
    place in the case of the payment that this one takes back.
    """

    product: str
    at_ms: int
    payer: int
    payee: int
    amount_minor: int
    reverses: int | None = None


class Case(NamedTuple):
    """What was done, in order of time, and the ordinary `history` that it needs and that is no part of it."""

    payments: list[Payment]
    history: list[Payment] = []


@dataclass
class Parties:
    """Who may take part in one case: nobody twice. `market` is a place in `MARKETS`, `case` the number of the case."""

    random: np.random.Generator
    market: int
    customers: int
    case: int
    _taken: set[int] = field(default_factory=set)
    _strangers: int = 0

    def customer(self) -> int:
        """Somebody of the ordinary traffic, or, three times in ten, somebody new."""
        number = self._drawn("customer")
        if number in self._taken or self.random.random() < STRANGER_RATE:
            return self.stranger()
        self._taken.add(number)
        return number

    def stranger(self) -> int:
        """A customer whom the ordinary traffic does not know."""
        self._strangers += 1
        return self.customers + self.case * STRANGERS_PER_CASE + self._strangers

    def agents(self, count: int) -> list[int]:
        """Different agents, of at most ten."""
        first = self._drawn("agent")
        fewest = 10
        return [first // fewest * fewest + (first + place) % fewest for place in range(count)]

    def agents_apart(self, count: int) -> list[int]:
        """Agents of different towns, as many as there are towns at the most."""
        towns, first = len(MARKETS[self.market].places), self._drawn("agent")
        return [first // towns * towns + (first + place) % towns for place in range(min(count, towns))]

    def merchant(self) -> int:
        """A merchant, more likely a busy one."""
        return self._drawn("merchant")

    def organisation(self) -> int:
        """An employer or another organisation."""
        return self._drawn("organisation")

    def _drawn(self, kind: str) -> int:
        return int(draw_parties(self.random, [kind], np.array([self.market]), self.customers)[0])


@dataclass(frozen=True)
class Scene:
    """Chance, people and the time there is: `longest_ms` for what takes hours, so that it ends in a short file too."""

    random: np.random.Generator
    parties: Parties
    longest_ms: int

    @property
    def market(self) -> Market:
        """Where it happens."""
        return MARKETS[self.parties.market]

    def count(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return int(self.random.integers(least, most + 1))

    def between(self, low: float, high: float) -> float:
        """Any number between."""
        return float(self.random.uniform(low, high))

    def gap_ms(self, least_seconds: float, most_seconds: float) -> int:
        """A gap of whole seconds."""
        return round(self.between(least_seconds, most_seconds)) * SECOND_MS

    def steps_ms(self, count: int, least_seconds: float, most_seconds: float) -> list[int]:
        """Times one after the other with gaps of so many seconds, the first of them 0."""
        gaps = [0, *(self.gap_ms(least_seconds, most_seconds) for _ in range(count - 1))]
        return [int(time) for time in np.cumsum(gaps)]

    def spread_ms(self, count: int, least_hours: float, most_hours: float) -> list[int]:
        """Times in order within so many hours, or within what time there is; the first of them 0."""
        length_ms = min(self.between(least_hours, most_hours) * HOUR_MS, self.longest_ms)
        times = np.sort(self.random.integers(0, max(1, int(length_ms) // SECOND_MS), count)) * SECOND_MS
        return [int(time - times[0]) for time in times]

    def amount(self, usd: float, is_cash: bool = False) -> int:
        """An amount of the market in minor units as people choose it: two digits, cash in notes."""
        units = usd * self.market.units_per_usd
        coin = self._coin(is_cash)
        digits = max(0, int(np.floor(np.log10(max(units / coin, 1)))) - 1)
        return self._payable(units, coin * 10**digits)

    def part(self, share: float, minor: int, is_cash: bool = False) -> int:
        """A share of an amount in minor units, to the coin."""
        return self._payable(share * minor / 10**self.market.minor_units, self._coin(is_cash))

    def _coin(self, is_cash: bool) -> int:
        return self.market.smallest_note if is_cash else max(1, self.market.smallest_note // 10)

    def _payable(self, units: float, step: int) -> int:
        """Rounded to a step, never to nothing, at most what one transaction may move."""
        rounded = max(step, round(units / step) * step)
        return int(min(rounded, self.market.largest_amount) * 10**self.market.minor_units)
