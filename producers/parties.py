"""Who pays and who is paid in the simulation: customers, agents, merchants, billers, organisations."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from producers.markets import MARKETS, Market


class _Kind(NamedTuple):
    """How many there are for each customer, and how unevenly the traffic falls on them (Zipf exponent)."""

    per_customer: float
    zipf: float


# Few merchants and billers take a large share: the busiest of 40 billers about a quarter.
_KINDS = {
    "customer": _Kind(1, 0.5),
    "customer abroad": _Kind(1, 0.5),
    "agent": _Kind(1 / 40, 0.8),
    "merchant": _Kind(1 / 25, 1.1),
    "biller": _Kind(1 / 250, 1.2),
    "organisation": _Kind(1 / 250, 1.2),
}
_FEWEST = 10


def draw_parties(
    random: np.random.Generator, kinds: list[str], markets: NDArray[np.int64], customers: int
) -> NDArray[np.int64]:
    """The number of a party within its kind and market, 0 the busiest; `customers` is over all markets."""
    home_customers = customers * np.array([market.share for market in MARKETS])[markets]
    per_customer = np.array([_KINDS[kind].per_customer for kind in kinds])
    sizes = np.maximum(_FEWEST, home_customers * per_customer).astype(np.int64)
    power = 1 - np.array([_KINDS[kind].zipf for kind in kinds])
    # The inverse of the continuous Zipf distribution on [1, size + 1).
    ranks = (((sizes + 1.0) ** power - 1) * random.random(len(kinds)) + 1) ** (1 / power)
    return np.asarray(np.minimum(ranks.astype(np.int64) - 1, sizes - 1), dtype=np.int64)


def party_count(kind: str, market: Market, customers: int) -> int:
    """How many parties of a kind a market has; `customers` is over all markets."""
    return int(max(_FEWEST, customers * market.share * _KINDS[kind].per_customer))


def party(kind: str, market: Market, number: int) -> list[dict[str, str]]:
    """A party as the wire has it: GSMA has no agent id, an agent is an `identityalias` such as AG-UG-00042."""
    country = market.country
    match kind:
        case "customer" | "customer abroad":
            return [{"key": "msisdn", "value": market.msisdn(number)}]
        case "agent":
            return [{"key": "identityalias", "value": f"AG-{country}-{number:05d}"}]
        case "merchant" if number % 3 == 2:
            return [{"key": "storeid", "value": f"MER-{country}-{number:05d}"}]
        case "merchant":
            return [{"key": "identityalias", "value": f"MER-{country}-{number:05d}"}]
        case "biller":
            return [{"key": "serviceprovider", "value": f"BIL-{country}-{number:03d}"}]
        case _:
            return [{"key": "organisationid", "value": f"ORG-{country}-{number:03d}"}]
