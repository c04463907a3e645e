"""The random part of the simulation: when, where, who and how much, in columns of one element a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from jobs.errors import SettingsError
from producers.markets import MARKETS, Market
from producers.parties import draw_parties, party_count
from producers.products import PRODUCTS

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Share of the day's transactions by local hour: known hours of the month behind PaySim (0, 12, 16, 18-21, 23), the rest
# between them; the night at a quarter of the mean.
HOURLY_PERCENT = np.array(
    [3.3, 2.0, 1.2, 1, 1, 1, 1, 1.2, 1.5, 1.8, 2.0, 2.2, 2.5, 3.2, 4.2, 5.2, 6.1, 8.3, 10.6, 12.9, 12.9, 10.2, 8.3, 6.5]
)
PAYDAY_FROM = 25
PAYDAY_FACTOR = 1.4
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FAILURE_RATE = 0.04
# A transaction that its provider decides at once, or whose first event is lost, has the final event alone.
PENDING_RATE = 0.85
LONGEST_WAIT_SECONDS = 120
REVERSAL_RATE = 0.006
# So often a customer spends a day in another town.
AWAY_RATE = 0.1
REVERSIBLE = ("transfer", "merchantpay")
# Later than any wait, so that only what is completed is reversed.
SOONEST_REVERSAL_MS = 150_000
SUBSECOND_RATE = 0.2
MOST_FRAUD_PER_MILLION = 500_000


@dataclass(frozen=True)
class SimulationPlan:
    """What to simulate: `events` canonical ones and `dummies` dummy records within `hours` of `start`.

    `peak` is the exponent on the daily curve: 1 is a real day, 3 puts half of it in two evening hours, so that a short
    file fills its windows too. `customers` are spread over all markets. `fraud_per_million` is the share of the
    transactions that belong to planted cases of fraud. These come on top of `events`, and so do honest cases that look
    like them; with 0 there are neither. Raises `SettingsError`.
    """

    seed: int
    start: datetime
    hours: int
    events: int
    dummies: int = 0
    peak: float = 1.0
    customers: int = 20_000
    fraud_per_million: int = 0

    def __post_init__(self) -> None:
        """Refuse a plan that cannot be played."""
        if self.start.tzinfo is None:
            raise SettingsError(f"The start {self.start.isoformat()} has no time zone: add Z or one such as +03:00.")
        least_of = {"seed": 0, "hours": 1, "events": 0, "dummies": 0, "customers": 1, "peak": 0, "fraud_per_million": 0}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise SettingsError(f"The plan's {name} is {getattr(self, name)}: give {least} or more.")
        if self.fraud_per_million > MOST_FRAUD_PER_MILLION:
            raise SettingsError(
                f"The plan's fraud_per_million is {self.fraud_per_million:,}: give {MOST_FRAUD_PER_MILLION:,} or less, "
                "or there are more frauds than transactions to hide them in."
            )


@dataclass(frozen=True)
class Transactions:
    """Drawn transactions in order of their start; times in ms after the plan's start.

    `market`, `abroad` and `product` are places in `MARKETS` and `PRODUCTS`. `original` is the row that this one
    reverses, -1 for none; `payer` and `payee` are the original's. `dice` are numbers below 2^16 for choices that need
    no distribution of their own.
    """

    start_ms: Integers
    wait_ms: Integers
    market: Integers
    abroad: Integers
    product: Integers
    payer: Integers
    payee: Integers
    amount_minor: Integers
    has_pending: Flags
    is_failed: Flags
    original: Integers
    dice: Integers


def draw_transactions(plan: SimulationPlan) -> Transactions:
    """As many transactions as have `plan.events` events."""
    random = np.random.default_rng([plan.seed, 0])
    has_pending = _draw_pending(random, plan.events)
    count = len(has_pending)
    start_ms, market = draw_starts(random, plan, count, range(len(MARKETS)))
    abroad = (market + random.integers(1, len(MARKETS), count)) % len(MARKETS)
    shares = np.array([product.share for product in PRODUCTS])
    product = random.choice(len(PRODUCTS), count, p=shares / shares.sum())
    payer, payee = draw_pairs(random, product, market, abroad, plan.customers)
    is_failed = random.random(count) < FAILURE_RATE
    amount_minor = draw_amounts(random, product, market)
    original = _draw_originals(random, start_ms, product, is_failed)
    wait_ms, dice = _draw_waits(random, start_ms), random.integers(0, 1 << 16, count)
    payer, payee = _with_agents_at_hand(random, plan, (payer, payee), product, market, start_ms // DAY_MS)
    # A reversal is of its original's market, product, parties and amount.
    terms = np.where(original >= 0, original, np.arange(count))
    return Transactions(
        start_ms=start_ms,
        wait_ms=wait_ms,
        market=market[terms],
        abroad=abroad[terms],
        product=product[terms],
        payer=payer[terms],
        payee=payee[terms],
        amount_minor=amount_minor[terms],
        has_pending=has_pending,
        is_failed=is_failed,
        original=original,
        dice=dice,
    )


def draw_starts(
    random: np.random.Generator, plan: SimulationPlan, count: int, markets: Sequence[int]
) -> tuple[Integers, Integers]:
    """Starts in order and the market of each, after the daily curve and the paydays of each market's own clock."""
    weights = np.array([[_weight(plan, MARKETS[market], hour) for hour in range(plan.hours)] for market in markets])
    cells = random.choice(weights.size, count, p=(weights / weights.sum()).ravel())
    place, hour = np.divmod(cells, plan.hours)
    start_ms = hour * HOUR_MS + random.integers(0, HOUR_MS, count)
    start_ms = np.where(random.random(count) < SUBSECOND_RATE, start_ms, start_ms // 1000 * 1000)
    order = np.argsort(start_ms, kind="stable")
    return start_ms[order], np.array(markets)[place[order]]


def draw_pairs(
    random: np.random.Generator, product: Integers, market: Integers, abroad: Integers, customers: int
) -> tuple[Integers, Integers]:
    """The payer's and the payee's number; nobody pays himself, so of two equal customers the payee is the next one."""
    sides = []
    for side in ("payer", "payee"):
        kinds = np.array([getattr(a_product, side) for a_product in PRODUCTS])[product]
        home = np.where(kinds == "customer abroad", abroad, market)
        sides.append((kinds, draw_parties(random, kinds.tolist(), home, customers)))
    (payer_kinds, payer), (payee_kinds, payee) = sides
    return payer, payee + ((payer == payee) & (payer_kinds == payee_kinds))


def _with_agents_at_hand(
    random: np.random.Generator,
    plan: SimulationPlan,
    pairs: tuple[Integers, Integers],
    product: Integers,
    market: Integers,
    day: Integers,
) -> tuple[Integers, Integers]:
    """The pairs with the nearest agent of the town where the customer is: all day at home, or all day in another one.

    As agents do, customers live in the towns of their market by turns.
    """
    towns = np.array([len(a_market.places) for a_market in MARKETS])[market]
    agents = np.array([party_count("agent", a_market, plan.customers) for a_market in MARKETS])[market]
    sides = []
    for side, agent, customer in zip(("payer", "payee"), pairs, reversed(pairs), strict=True):
        town = (customer + _draw_trips(random, market, customer, day) % towns) % towns
        near = agent // towns * towns + town
        is_agent = np.array([getattr(a_product, side) == "agent" for a_product in PRODUCTS])[product]
        sides.append(np.where(is_agent, np.where(near < agents, near, near - towns), agent))
    return sides[0], sides[1]


def _draw_trips(random: np.random.Generator, market: Integers, customer: Integers, day: Integers) -> Integers:
    """How many towns on each one's customer is that day; mostly none."""
    days, of_row = np.unique(np.stack([market, customer, day]), axis=1, return_inverse=True)
    is_away = random.random(days.shape[1]) < AWAY_RATE
    return np.where(is_away, random.integers(1, 1 << 16, days.shape[1]), 0)[of_row.ravel()]


def draw_amounts(random: np.random.Generator, product: Integers, market: Integers) -> Integers:
    """Amounts in minor units: lognormal, rounded as people choose them, cash in notes, some prices with cents."""
    note = np.array([a_market.smallest_note for a_market in MARKETS])[market]
    scale = 10 ** np.array([a_market.minor_units for a_market in MARKETS])[market]
    is_cash = np.array([a_product.is_cash for a_product in PRODUCTS])[product]
    usd = random.lognormal(
        np.log([a_product.median_usd for a_product in PRODUCTS])[product],
        np.array([a_product.sigma for a_product in PRODUCTS])[product],
    )
    units = usd * np.array([a_market.units_per_usd for a_market in MARKETS])[market]
    coin = np.where(is_cash, note, np.maximum(1, note // 10))
    # To the second digit, mostly to a half of the first: 1,500 sooner than 1,400.
    step = coin * 10 ** np.floor(np.log10(np.maximum(units / coin, 10)) - 1).astype(np.int64)
    step *= np.where(random.random(len(market)) < 0.6, 5, 1)
    rounded: Integers = np.maximum(step, np.rint(units / step).astype(np.int64) * step)
    capped: Integers = np.minimum(rounded, np.array([a_market.largest_amount for a_market in MARKETS])[market])
    has_cents = ~is_cash & (scale > 1) & (random.random(len(market)) < 0.25)
    cents = np.where(has_cents, random.integers(1, 100, len(market)), 0)
    return np.asarray(capped * scale - cents, dtype=np.int64)


def _weight(plan: SimulationPlan, market: Market, hour: int) -> float:
    local = plan.start.astimezone(timezone(timedelta(hours=market.utc_offset_hours))) + timedelta(hours=hour)
    payday = PAYDAY_FACTOR if local.day >= PAYDAY_FROM else 1.0
    return float(HOURLY_PERCENT[local.hour] ** plan.peak) * payday * market.share


def _draw_pending(random: np.random.Generator, events: int) -> Flags:
    """Which transactions have a pending event too: exactly `events` events in all."""
    has_pending = random.random(events) < PENDING_RATE
    events_so_far = np.cumsum(1 + has_pending)
    count = int(np.searchsorted(events_so_far, events)) + 1 if events else 0
    has_pending = has_pending[:count]
    if count and events_so_far[count - 1] > events:
        has_pending[-1] = False
    return has_pending


def _draw_waits(random: np.random.Generator, start_ms: Integers) -> Integers:
    """From the pending to the final event, ms; whole seconds where the start is."""
    wait_seconds = np.clip(random.lognormal(np.log(4), 0.8, len(start_ms)), 1, LONGEST_WAIT_SECONDS)
    wait_ms = (wait_seconds * 1000).astype(np.int64)
    return np.where(start_ms % 1000 == 0, wait_ms // 1000 * 1000, wait_ms)


def _draw_originals(random: np.random.Generator, start_ms: Integers, product: Integers, is_failed: Flags) -> Integers:
    """The row each row reverses, -1 for most: a completed transfer or purchase, minutes or hours before, each once."""
    original = np.full(len(start_ms), -1)
    is_reversal = random.random(len(start_ms)) < REVERSAL_RATE
    reversible = np.array([a_product.type in REVERSIBLE for a_product in PRODUCTS])[product]
    candidates = np.flatnonzero(reversible & ~is_failed & ~is_reversal)
    reversals = np.flatnonzero(is_reversal)
    delay_ms = SOONEST_REVERSAL_MS + random.exponential(20 * 60_000, len(reversals))
    place = np.searchsorted(start_ms[candidates], start_ms[reversals] - delay_ms) - 1
    chosen, first = np.unique(place, return_index=True)
    original[reversals[first[chosen >= 0]]] = candidates[chosen[chosen >= 0]]
    return original
