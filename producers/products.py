"""What customers do with mobile money in the simulation, how often, for how much, and what it costs."""

from bisect import bisect_left
from dataclasses import dataclass

from producers.markets import Market

# (highest amount, fee) in KES: M-Pesa Kenya 2025, reported by Kahawatungu and Business Radar.
TRANSFER_TARIFF = (
    (100, 0), (500, 7), (1_000, 13), (1_500, 23), (2_500, 33), (3_500, 53), (5_000, 57), (7_500, 78), (10_000, 90),
    (15_000, 100), (20_000, 105), (250_000, 108),
)  # fmt: skip
WITHDRAWAL_TARIFF = (
    (100, 11), (2_500, 29), (3_500, 52), (5_000, 69), (7_500, 87), (10_000, 115), (15_000, 167), (20_000, 185),
    (35_000, 197), (50_000, 278), (250_000, 309),
)  # fmt: skip
KES_PER_USD = 130


@dataclass(frozen=True)
class Product:
    """One kind of transaction: GSMA type and sub-type, how common, how large, between whom.

    Amounts are lognormal round `median_usd`. `payer` and `payee` name a kind of party; cash comes in notes. One with a
    share of 0 happens beside planted fraud alone.
    """

    type: str
    sub_type: str
    share: float
    median_usd: float
    sigma: float
    payer: str
    payee: str
    channels: tuple[str, ...]
    tariff: tuple[tuple[int, int], ...] = ()
    is_cash: bool = False
    description: str = ""


# Shares after the month of a real operator behind PaySim (cash-out 36, payment 35, cash-in 20, transfer 8 %), with more
# transfers. Medians so that Uganda's mean comes near 36,000 UGX (2023/24) with most amounts far below it.
PRODUCTS = (
    Product("withdrawal", "cash_out", 0.30, 5, 1.2, "customer", "agent", ("ussd", "agent"), WITHDRAWAL_TARIFF, True),
    Product("merchantpay", "till", 0.24, 2, 1.1, "customer", "merchant", ("ussd", "pos", "app")),
    Product("deposit", "cash_in", 0.20, 5, 1.2, "agent", "customer", ("agent",), is_cash=True),
    Product("transfer", "p2p", 0.15, 3, 1.3, "customer", "customer", ("ussd", "ussd", "app"), TRANSFER_TARIFF),
    Product("billpay", "paybill", 0.07, 4, 1.0, "customer", "biller", ("ussd", "app"), description="Bill"),
    Product("disbursement", "salary", 0.02, 40, 0.8, "organisation", "customer", ("api",), description="Salary"),
    Product("inttransfer", "out", 0.01, 30, 0.9, "customer", "customer abroad", ("app", "ussd"), TRANSFER_TARIFF),
    Product("inttransfer", "in", 0.01, 30, 0.9, "customer abroad", "customer", ("app",)),
    Product("transfer", "agent_float", 0, 60, 1.0, "agent", "agent", ("ussd", "app")),
)


def fee_minor(product: Product, market: Market, amount_minor: int) -> int:
    """The payer's fee in minor units: Kenya's bands and fees scaled to the market, in tenths of its smallest note."""
    if not product.tariff:
        return 0
    minor_per_usd = market.units_per_usd * int(10**market.minor_units)
    edges = [highest * minor_per_usd for highest, _ in product.tariff]
    band = min(bisect_left(edges, amount_minor * KES_PER_USD), len(edges) - 1)
    step = max(1, market.smallest_note * int(10**market.minor_units) // 10)
    # Rounded half up without leaving whole numbers.
    return (2 * product.tariff[band][1] * minor_per_usd + KES_PER_USD * step) // (2 * KES_PER_USD * step) * step
