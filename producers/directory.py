"""The agents and merchants of the simulation as reference tables: python -m producers.directory.

Writes conf/reference/agents.csv and merchants.csv for a plan's default number of customers; a test keeps them so. They
are of the dummy data: no such agent or merchant exists, and the float that an agent should have is made up.
"""

from collections.abc import Iterator

from jobs.msisdn import REFERENCE
from producers.draws import SimulationPlan
from producers.markets import MARKETS, Market
from producers.parties import party, party_count

CUSTOMERS = SimulationPlan.customers
# The towns of the markets' places, in their order.
REGIONS = {
    "UG": ("Kampala", "Jinja", "Mbarara"),
    "KE": ("Nairobi", "Mombasa", "Kisumu"),
    "TZ": ("Dar es Salaam", "Mwanza"),
    "RW": ("Kigali",),
    "GH": ("Accra", "Kumasi"),
    "SN": ("Dakar",),
    "CI": ("Abidjan",),
    "NG": ("Lagos", "Kano"),
    "CM": ("Douala", "Yaoundé"),
}
_AGENTS = """# Of the dummy data, made by python -m producers.directory: the agents of the simulation.
# None of them exists; float_min, the e-money that an agent should never have less of, is made up.
agent_id,country,currency,region,latitude,longitude,float_min
"""
_MERCHANTS = """# Of the dummy data, made by python -m producers.directory: the merchants and billers of the simulation.
# None of them exists.
merchant_id,country,currency,is_biller
"""


def agents() -> str:
    """The text of agents.csv."""
    return _AGENTS + "".join(f"{line}\n" for market in MARKETS for line in _agents(market))


def merchants() -> str:
    """The text of merchants.csv."""
    return _MERCHANTS + "".join(f"{line}\n" for market in MARKETS for line in _merchants(market))


def _agents(market: Market) -> Iterator[str]:
    regions = REGIONS[market.country]
    for number in range(party_count("agent", market, CUSTOMERS)):
        alias = party("agent", market, number)[0]["value"]
        # Twenty cash-ins of some five dollars, more for the busier ones, whose numbers are low.
        float_min = 100 * market.units_per_usd * (4 if number < 10 else 2 if number < 50 else 1)
        region = regions[number % len(regions)]
        yield f"{alias},{market.country},{market.currency},{region},{market.geo_code(number)},{float_min}"


def _merchants(market: Market) -> Iterator[str]:
    for kind in ("merchant", "biller"):
        for number in range(party_count(kind, market, CUSTOMERS)):
            alias = party(kind, market, number)[0]["value"]
            yield f"{alias},{market.country},{market.currency},{'true' if kind == 'biller' else 'false'}"


if __name__ == "__main__":
    (REFERENCE / "agents.csv").write_text(agents())
    (REFERENCE / "merchants.csv").write_text(merchants())
