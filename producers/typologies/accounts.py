"""Typologies of one account that does what it never did."""

from producers.typologies.scene import DAY_MS, HOUR_MS, MINUTE_MS, Case, Payment, Scene


def account_takeover(scene: Scene) -> Case:
    """Somebody else has the phone number and empties the account: payments to strangers, within minutes, over 80 %.

    After a SIM swap a PIN is reset and the account drained. Tazama typology 044 (account takeover) with its rules 017
    (divergence) and 030 (unfamiliar creditor); CAMARA's SimSwap asks for swaps of the last ten days. What the victim
    owned came in before, as salary and cash, and is history.
    """
    victim = scene.parties.stranger()
    income = [scene.amount(scene.between(30, 120)), scene.amount(scene.between(5, 40), is_cash=True)]
    earlier = [-scene.gap_ms(5_400, 7_200) - at for at in scene.spread_ms(2, 2, 30)]
    history = [
        Payment("salary", earlier[1], scene.parties.organisation(), victim, income[0]),
        Payment("cash_in", earlier[0], scene.parties.agents(1)[0], victim, income[1]),
    ]
    times = scene.steps_ms(scene.count(4, 9), 25, 100)
    parts = [scene.between(0.5, 1.5) for _ in times]
    taken = scene.between(0.85, 0.97) / sum(parts)
    payments = [
        Payment("p2p", at, victim, scene.parties.stranger(), scene.part(taken * part, sum(income)))
        for at, part in zip(times, parts, strict=True)
    ]
    return Case(payments, history)


def dormant_account(scene: Scene) -> Case:
    """An account that was quiet for more than 90 days receives a sum and empties itself within the hour.

    Dormant after three months by Tazama rules 003 and 004, after twelve by Ghana's Act 987. It needs a stretch of
    more than a hundred days.
    """
    owner, other = scene.parties.stranger(), scene.parties.customer()
    quiet_ms = scene.count(91, 97) * DAY_MS
    history = [
        Payment(
            "till", -quiet_ms - before * HOUR_MS, owner, scene.parties.merchant(), scene.amount(scene.between(1, 6))
        )
        for before in (scene.count(20, 40), scene.count(1, 19))
    ]
    came_in = scene.amount(scene.between(40, 200))
    payments = [Payment("p2p", 0, other, owner, came_in)]
    outs = scene.count(3, 7)
    for after in scene.steps_ms(outs, 60, 480):
        amount = scene.part(scene.between(0.8, 0.98) / outs, came_in)
        payments.append(Payment("p2p", 120_000 + after, owner, scene.parties.customer(), amount))
    return Case(payments, history)


def velocity_burst(scene: Scene) -> Case:
    """A machine pays by one account: many small amounts, a few seconds apart.

    More payments in five minutes than a person makes: Marble's "quick transactions" counts over PT5M, Tazama rule 076
    has the time since the last transaction.
    """
    payer = scene.parties.customer()
    merchants = [scene.parties.merchant() for _ in range(3)]
    payments = []
    for place, at in enumerate(scene.steps_ms(scene.count(8, 25), 3, 25)):
        amount = scene.amount(scene.between(0.5, 6))
        is_purchase = place % 3 > 0
        payee = merchants[scene.count(0, 2)] if is_purchase else scene.parties.customer()
        payments.append(Payment("till" if is_purchase else "p2p", at, payer, payee, amount))
    return Case(payments)


def exceptional_amount(scene: Scene) -> Case:
    """One transfer many times larger than all that the account ever paid.

    Tazama rules 018 (exceptionally large against history) and 020, 048 (standard deviations from it); Marble compares
    with the largest of 30 days. What was paid before is history.
    """
    payer, payee = scene.parties.stranger(), scene.parties.customer()
    usual = scene.between(1, 6)
    count = scene.count(8, 16)
    times = [-at - 30 * MINUTE_MS for at in scene.spread_ms(count, 12, 72)]
    payees = [scene.parties.customer() for _ in range(3)]
    history = [
        Payment("p2p", at, payer, payees[place % 3], scene.amount(usual * scene.between(0.5, 1.6)))
        for place, at in enumerate(reversed(times))
    ]
    return Case([Payment("p2p", 0, payer, payee, scene.amount(usual * scene.between(15, 60)))], history)


def duplicate_payment(scene: Scene) -> Case:
    """The same amount to the same payee again and again within minutes, each under a reference of its own.

    Tazama typology 095 (duplicated payments) with its rules 006 (similar amounts) and 008 (same creditor).
    """
    payer, merchant = scene.parties.customer(), scene.parties.merchant()
    amount = scene.amount(scene.between(3, 80))
    return Case([Payment("till", at, payer, merchant, amount) for at in scene.steps_ms(scene.count(2, 4), 20, 150)])
