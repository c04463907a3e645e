"""Typologies of cash: deposits and withdrawals at agents, divided so that each looks small."""

from producers.products import KES_PER_USD
from producers.typologies.scene import Case, Payment, Scene

# Highest amount of each band of the agent's commission on a deposit: M-Pesa Kenya, as the press printed it in 2018 (two
# deposits of 500 earn 16, one of 1,000 earns 9), and MTN Uganda (The Konsult Hub). Elsewhere Kenya's, to scale.
COMMISSION_TOPS = {
    "KES": (510, 1_010, 1_510, 2_510, 3_510, 5_010, 7_510, 10_010),
    "UGX": (2_500, 5_000, 15_000, 30_000, 45_000, 60_000, 125_000, 250_000),
}


def split_transaction(scene: Scene) -> Case:
    """One cash-in handed in as several, each at the top of a commission band, for the agent is paid for each.

    Same agent, same customer, minutes apart. Tiered commissions cause it (GSMA, Mobile Money Deployment, on split
    transactions); Safaricom looks for it in the till's day or week and added bands against it; in MoMTSim it is the
    scenario SplitDeposit, one to ten deposits in a step at one agent.
    """
    agent, customer = scene.parties.agents(1)[0], scene.parties.customer()
    times, top = scene.steps_ms(scene.count(2, 6), 25, 300), _band_top(scene)
    note, minor = scene.market.smallest_note, int(10**scene.market.minor_units)
    # In notes, and never over the band.
    amounts = [max(note, int(scene.between(0.88, 1) * top) // note * note) * minor for _ in times]
    return Case([Payment("cash_in", at, agent, customer, amount) for at, amount in zip(times, amounts, strict=True)])


def structuring(scene: Scene) -> Case:
    """Cash-ins just under the limit of one transaction, by several agents into one account within a day (smurfing).

    Amounts in [0.8 T, T) of a threshold T, several a day: Tazama rule 091 (amount against a regulatory threshold) and
    its typologies 010 (structuring just below the threshold) and 129 (smurfing).
    """
    customer = scene.parties.customer()
    count = scene.count(3, 8)
    agents = scene.parties.agents(scene.count(2, 5))
    limit_minor = scene.market.largest_amount * int(10**scene.market.minor_units)
    payments = [
        Payment(
            "cash_in",
            at,
            agents[place % len(agents)],
            customer,
            scene.part(scene.between(0.82, 0.99), limit_minor, True),
        )
        for place, at in enumerate(scene.spread_ms(count, 2, 20))
    ]
    return Case(payments)


def reversal_scam(scene: Scene) -> Case:
    """Money is sent, taken out in cash, and then claimed back as sent to a wrong number.

    An operator can only freeze what is still there: MTN Uganda reverses within about a day and never what was
    withdrawn (Techjaja; Uganda Radio Network), so whoever is quicker has both.
    """
    sender, receiver = scene.parties.customer(), scene.parties.customer()
    agent = scene.parties.agents(1)[0]
    sent = scene.amount(scene.between(8, 150))
    out_at = scene.gap_ms(60, 900)
    claimed_at = out_at + scene.gap_ms(120, 3_600)
    return Case(
        [
            Payment("p2p", 0, sender, receiver, sent),
            Payment("cash_out", out_at, receiver, agent, scene.part(scene.between(0.7, 0.98), sent, True)),
            Payment("p2p", claimed_at, sender, receiver, sent, reverses=0),
        ]
    )


def impossible_travel(scene: Scene) -> Case:
    """Cash of one customer in towns that are hours from each other, minutes apart. It needs a market of several towns.

    Faster than anybody drives from the place of the last transaction: Tazama rules 074 and 075, its typology 179
    (improbable location). Where an agent stands is in `geoCode`.
    """
    customer = scene.parties.customer()
    agents = scene.parties.agents_apart(scene.count(2, 3))
    return Case(
        [
            Payment("cash_out", at, customer, agent, scene.amount(scene.between(10, 80), is_cash=True))
            for agent, at in zip(agents, scene.steps_ms(len(agents), 240, 1_200), strict=True)
        ]
    )


def _band_top(scene: Scene) -> float:
    """The top of one of the market's bands, in units of its currency."""
    market, kenya = scene.market, COMMISSION_TOPS["KES"]
    scaled = [top / KES_PER_USD * market.units_per_usd for top in kenya]
    tops = COMMISSION_TOPS.get(market.currency, scaled)
    return tops[scene.count(0, len(tops) - 1)]
