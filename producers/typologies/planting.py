"""Mix cases of fraud, and what looks like them, into drawn transactions; say in a manifest which they are."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from producers.draws import PENDING_RATE, Integers, SimulationPlan, Transactions
from producers.events import instant, reference
from producers.markets import MARKETS
from producers.products import PRODUCTS
from producers.typologies import accounts, cash, transfers
from producers.typologies.lookalikes import ORDINARY_PER_MILLION
from producers.typologies.scene import DAY_MS, HOUR_MS, LONGEST_WAIT_SECONDS, Case, Parties, Payment, Scene

MILLION = 1_000_000
TYPOLOGIES: dict[str, Callable[[Scene], Case]] = {
    typology.__name__: typology
    for typology in (
        cash.split_transaction, cash.structuring, cash.reversal_scam, cash.impossible_travel,
        transfers.mule_account, transfers.fan_out, transfers.rapid_in_out, transfers.agent_loop,
        accounts.account_takeover, accounts.velocity_burst, accounts.exceptional_amount, accounts.duplicate_payment,
        accounts.dormant_account,
    )
}  # fmt: skip
# Ninety days of silence and something before and after.
LONG_ENOUGH_FOR_DORMANCY_MS = 100 * DAY_MS
FEWEST_CUSTOMERS = 10
HAS_TOWNS = np.array([len(market.places) > 1 for market in MARKETS])

_PRODUCT = {product.sub_type: place for place, product in enumerate(PRODUCTS)}


@dataclass(frozen=True)
class PlantedCase:
    """A case of fraud: its typology, and its rows among the transactions, in the order of its payments."""

    case_id: str
    typology: str
    rows: range


@dataclass(frozen=True)
class Planted:
    """Transactions with the planted ones behind the drawn ones, and the cases that are fraud."""

    transactions: Transactions
    cases: list[PlantedCase]


def plant(plan: SimulationPlan, drawn: Transactions) -> Planted:
    """The drawn transactions with as many of fraud that they are `plan.fraud_per_million` of all, give or take a case.

    Nothing is planted without fraud: the drawn transactions stay what they are. Where less than a case is due, it is
    planted by chance, so that the share is right over many seeds.
    """
    if not plan.fraud_per_million or not len(drawn.market):
        return Planted(drawn, [])
    ordinary = list(_lookalikes(plan, drawn))
    share = plan.fraud_per_million / MILLION
    due = (len(drawn.market) + sum(_size(rows) for rows in ordinary)) * share / (1 - share)
    frauds = list(_frauds(plan, drawn, due))
    cases, first = [], len(drawn.market)
    for number, (typology, staged) in enumerate(frauds, start=1):
        count = len(staged.case.payments)
        cases.append(PlantedCase(f"case-{number}", typology, range(first, first + count)))
        first += _size(staged)
    return Planted(_with_rows(plan, drawn, [*(staged for _, staged in frauds), *ordinary]), cases)


def manifest(plan: SimulationPlan, planted: Planted) -> Iterator[dict[str, Any]]:
    """One line a case: what it is, its transactions in order, the times of its first and last event. No number."""
    transactions = planted.transactions
    for case in planted.cases:
        rows = np.array(case.rows)
        ends_ms = transactions.start_ms[rows] + transactions.wait_ms[rows]
        starts_ms = np.where(transactions.has_pending[rows], transactions.start_ms[rows], ends_ms)
        yield {
            "case_id": case.case_id,
            "typology": case.typology,
            "transaction_references": [reference(plan, transactions, row) for row in case.rows],
            "first_event_time": instant(plan, int(starts_ms.min()), 0).isoformat(),
            "last_event_time": instant(plan, int(ends_ms.max()), 0).isoformat(),
        }


@dataclass(frozen=True)
class _Staged:
    """A case with its place and time: `begin_ms` is after the plan's start."""

    case: Case
    market: int
    begin_ms: int


def _frauds(plan: SimulationPlan, drawn: Transactions, due: float) -> Iterator[tuple[str, _Staged]]:
    """Cases of all typologies in turn, from one that is drawn, until their payments are as many as are due."""
    random = np.random.default_rng([plan.seed, 2])
    span_ms = plan.hours * HOUR_MS
    anywhere, of_towns = np.arange(len(drawn.market)), np.flatnonzero(HAS_TOWNS[drawn.market])
    impossible = {"dormant_account"} if span_ms < LONG_ENOUGH_FOR_DORMANCY_MS else set()
    impossible |= set() if len(of_towns) else {"impossible_travel"}
    names = sorted(set(TYPOLOGIES) - impossible)
    random.shuffle(names)
    number, planted = 0, 0
    while planted < due:
        name = names[number % len(names)]
        like = of_towns if name == "impossible_travel" else anywhere
        staged = _staged(plan, drawn, like, TYPOLOGIES[name], number, kind=2)
        count = len(staged.case.payments)
        # Of a case that is more than what is due, as often as what is due is of it.
        if random.random() * count < due - planted:
            yield name, staged
        planted += count
        number += 1


def _lookalikes(plan: SimulationPlan, drawn: Transactions) -> Iterator[_Staged]:
    number, anywhere = 0, np.arange(len(drawn.market))
    for ordinary, per_million in ORDINARY_PER_MILLION:
        for _ in range(round(len(drawn.market) * per_million / MILLION)):
            yield _staged(plan, drawn, anywhere, ordinary, number, kind=3)
            number += 1


def _staged(
    plan: SimulationPlan, drawn: Transactions, like: Integers, play: Callable[[Scene], Case], number: int, kind: int
) -> _Staged:
    """A case of its own seed, at the time and in the market of one of the rows `like`, moved to be within the plan.

    Where even its parts are longer than the plan, it runs on after the plan's end.
    """
    random = np.random.default_rng([plan.seed, kind, number])
    row = like[random.integers(len(like))]
    market, span_ms = int(drawn.market[row]), plan.hours * HOUR_MS
    customers = max(FEWEST_CUSTOMERS, int(plan.customers * MARKETS[market].share))
    # Frauds and look-alikes share no stranger.
    parties = Parties(random, market, customers, 2 * number + kind % 2)
    case = play(Scene(random, parties, span_ms // 3))
    times = [payment.at_ms for payment in (*case.history, *case.payments)]
    latest = span_ms - max(times) - LONGEST_WAIT_SECONDS * 1000
    return _Staged(case, market, max(min(int(drawn.start_ms[row]), latest), -min(times)))


def _size(staged: _Staged) -> int:
    return len(staged.case.payments) + len(staged.case.history)


def _with_rows(plan: SimulationPlan, drawn: Transactions, staged: Sequence[_Staged]) -> Transactions:
    """The drawn transactions with those of the cases behind them, each case's history behind its payments."""
    random = np.random.default_rng([plan.seed, 4])
    rows, first = [], len(drawn.market)
    for one in staged:
        for payment in (*one.case.payments, *one.case.history):
            reversed_row = -1 if payment.reverses is None else first + payment.reverses
            rows.append((*_columns(one, payment), reversed_row))
        first += _size(one)
    start_ms, market, product, payer, payee, amount_minor, original = np.array(rows, dtype=np.int64).reshape(-1, 7).T
    count = len(rows)
    wait_seconds = np.clip(random.lognormal(np.log(4), 0.8, count), 1, LONGEST_WAIT_SECONDS).astype(np.int64)
    planted = {
        "start_ms": start_ms,
        "wait_ms": wait_seconds * 1000,
        "market": market,
        "abroad": (market + 1) % len(MARKETS),
        "product": product,
        "payer": payer,
        "payee": payee,
        "amount_minor": amount_minor,
        "has_pending": random.random(count) < PENDING_RATE,
        "is_failed": np.zeros(count, dtype=np.bool_),
        "original": original,
        "dice": random.integers(0, 1 << 16, count),
    }
    return Transactions(**{name: np.concatenate([getattr(drawn, name), added]) for name, added in planted.items()})


def _columns(staged: _Staged, payment: Payment) -> Iterable[int]:
    return (
        staged.begin_ms + payment.at_ms, staged.market, _PRODUCT[payment.product], payment.payer, payment.payee,
        payment.amount_minor,
    )  # fmt: skip
