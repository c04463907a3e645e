"""What honest people do that looks like fraud: it is mixed in wherever fraud is, and no manifest names it.

How often each happens is nobody's published number, so `ORDINARY_PER_MILLION` is an estimate: what rules are worth
among honest traffic depends on it. Of agents' moves of float, a third of Ghana's value in 2024 (Daily Guide), there are
enough that such a transfer says nothing by itself.
"""

from collections.abc import Callable

from producers.typologies.scene import DAY_MS, MINUTE_MS, Case, Payment, Scene


def agent_float_move(scene: Scene) -> Case:
    """An agent that has cash left sells float to one that has none."""
    giver, taker = scene.parties.agents(2)
    return Case([Payment("agent_float", 0, giver, taker, scene.amount(scene.between(10, 400)))])


def savings_group(scene: Scene) -> Case:
    """The members of a savings group pay in their equal shares; the treasurer takes the sum out for the meeting."""
    treasurer, share = scene.parties.customer(), scene.amount(scene.between(1, 12))
    times = scene.spread_ms(scene.count(5, 15), 6, 30)
    payments = [Payment("p2p", at, scene.parties.customer(), treasurer, share) for at in times]
    out_at = times[-1] + scene.gap_ms(1_800, 36_000)
    cash = scene.part(scene.between(0.9, 1), share * len(times), is_cash=True)
    return Case([*payments, Payment("cash_out", out_at, treasurer, scene.parties.agents(1)[0], cash)])


def bought_twice(scene: Scene) -> Case:
    """The same thing bought again at the same shop, for the friend who stands beside."""
    payer, merchant, amount = scene.parties.customer(), scene.parties.merchant(), scene.amount(scene.between(0.5, 8))
    return Case([Payment("till", at, payer, merchant, amount) for at in scene.steps_ms(2, 30, 900)])


def small_employer(scene: Scene) -> Case:
    """Somebody with a few workers pays their wages one after the other from an own account, on Saturday evening."""
    payer, wage = scene.parties.customer(), scene.between(8, 30)
    times = scene.steps_ms(scene.count(4, 10), 40, 240)
    return Case([Payment("p2p", at, payer, scene.parties.customer(), scene.amount(wage)) for at in times])


def school_fees(scene: Scene) -> Case:
    """Cash of many weeks is paid in and goes out within minutes as one large transfer: the fees of a term."""
    parent, school = scene.parties.customer(), scene.parties.customer()
    fees = scene.amount(scene.between(40, 250))
    cash_in = Payment("cash_in", 0, scene.parties.agents(1)[0], parent, scene.part(1.02, fees, is_cash=True))
    return Case([cash_in, Payment("p2p", scene.gap_ms(120, 3_600), parent, school, fees)])


def trader(scene: Scene) -> Case:
    """A shop on the market is paid by wallet all day and brings the takings to one agent in the evening."""
    owner = scene.parties.customer()
    times = scene.spread_ms(scene.count(6, 14), 6, 11)
    paid = [scene.amount(scene.between(1, 9)) for _ in times]
    payments = [
        Payment("p2p", at, scene.parties.customer(), owner, amount) for at, amount in zip(times, paid, strict=True)
    ]
    out_at = min(times[-1] + scene.gap_ms(600, 10_800), DAY_MS - MINUTE_MS)
    cash = scene.part(scene.between(0.6, 0.95), sum(paid), is_cash=True)
    return Case([*payments, Payment("cash_out", out_at, owner, scene.parties.agents(1)[0], cash)])


# How often each is begun in a million ordinary transactions.
ORDINARY_PER_MILLION: tuple[tuple[Callable[[Scene], Case], int], ...] = (
    (agent_float_move, 20_000),
    (bought_twice, 1_500),
    (school_fees, 500),
    (trader, 300),
    (savings_group, 150),
    (small_employer, 150),
)
