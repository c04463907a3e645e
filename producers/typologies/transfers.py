"""Typologies of transfers: how money is moved on from wallet to wallet so that its way is lost."""

from producers.typologies.scene import Case, Payment, Scene


def mule_account(scene: Scene) -> Case:
    """Many pay into one account within a day, and minutes after the last one the money leaves in cash: a mule.

    Five or more payers in 24 hours: Tazama rules 002 and 016 (convergence) and its typology 214 (mule accounts).
    """
    mule = scene.parties.customer()
    times = scene.spread_ms(scene.count(5, 12), 1, 18)
    paid = [scene.amount(scene.between(5, 60)) for _ in times]
    payments = [
        Payment("p2p", at, scene.parties.customer(), mule, amount) for at, amount in zip(times, paid, strict=True)
    ]
    withdrawals = scene.count(1, 3)
    share = scene.between(0.85, 0.98) / withdrawals
    first_out = times[-1] + scene.gap_ms(120, 2_400)
    for agent, after in zip(scene.parties.agents(withdrawals), scene.steps_ms(withdrawals, 60, 900), strict=True):
        payments.append(Payment("cash_out", first_out + after, mule, agent, scene.part(share, sum(paid), True)))
    return Case(payments)


def fan_out(scene: Scene) -> Case:
    """One account pays many others, of like amounts, within an hour or two.

    Five or more payees within eight hours: Tazama rule 017 (divergence); `fan_out` of AMLSim.
    """
    payer = scene.parties.customer()
    usual = scene.between(4, 40)
    return Case(
        [
            Payment("p2p", at, payer, scene.parties.customer(), scene.amount(usual * scene.between(0.85, 1.15)))
            for at in scene.steps_ms(scene.count(6, 15), 25, 480)
        ]
    )


def rapid_in_out(scene: Scene) -> Case:
    """Money passes through two to four accounts within minutes each; in half of the cases each keeps its commission.

    What comes in goes out within ten percent in a day: Tazama rules 024 and 025 (mirroring), 026 and 027 (mirroring
    less a commission of ten percent) and 090 (a chain of two hops and more).
    """
    least, most = (0.07, 0.12) if scene.random.random() < 0.5 else (0.0, 0.02)
    hops = scene.count(2, 4)
    holders = [scene.parties.customer() for _ in range(hops + 1)]
    amount = scene.amount(scene.between(40, 700))
    payments: list[Payment] = []
    for place, at in enumerate(scene.steps_ms(hops, 120, 1_800)):
        payments.append(Payment("p2p", at, holders[place], holders[place + 1], amount))
        amount = scene.part(1 - scene.between(least, most), amount)
    # Half of the chains end in cash.
    if scene.random.random() < 0.5:
        out_at = payments[-1].at_ms + scene.gap_ms(120, 1_800)
        cash = scene.part(1, amount, is_cash=True)
        payments.append(Payment("cash_out", out_at, holders[-1], scene.parties.agents(1)[0], cash))
    return Case(payments)


def agent_loop(scene: Scene) -> Case:
    """Agents send float round in a circle, so that commission is earned and no customer was served.

    Tazama typology 037 (staff and agents who move funds); `cycle` of AMLSim. GSMA's study of 2024 has agents as one of
    its four classes of fraud.
    """
    agents = scene.parties.agents(scene.count(2, 4))
    float_sent = scene.amount(scene.between(30, 300))
    times = scene.steps_ms(len(agents) * scene.count(2, 3), 45, 900)
    return Case(
        [
            Payment(
                "agent_float",
                at,
                agents[place % len(agents)],
                agents[(place + 1) % len(agents)],
                scene.part(scene.between(0.97, 1), float_sent),
            )
            for place, at in enumerate(times)
        ]
    )
