"""The markets that the simulation plays in: currency, clock, phone numbers, places.

Phone numbers follow the national numbering plans; who was given a prefix is also in `conf/reference/operators.csv`
(from libphonenumber's carrier metadata, Apache-2.0). A ported number keeps its first operator there.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Market:
    """One country's mobile money.

    `share` is its part of all transactions. Amounts are in whole units of the currency: `units_per_usd` scales what
    people pay (rounded rates, for size only), `smallest_note` is what cash comes in, `largest_amount` the most one
    transaction may move: the published limit of Kenya (250,000) and UMOA (2 million), the same order elsewhere.
    `prefixes` are E.164 without +, `places` latitude and longitude of towns.
    """

    country: str
    currency: str
    minor_units: int
    utc_offset_hours: int
    share: float
    units_per_usd: int
    smallest_note: int
    largest_amount: int
    msisdn_digits: int
    prefixes: tuple[str, ...]
    places: tuple[tuple[float, float], ...]

    def amount_text(self, minor: int) -> str:
        """An amount in minor units as the wire has it: "1500", "149.50"."""
        units, cents = divmod(minor, 10**self.minor_units)
        return f"{units}.{cents:0{self.minor_units}d}" if cents else str(units)

    def msisdn(self, customer: int) -> str:
        """The number of the market's nth customer: the same in every run, and no other customer's."""
        prefix = self.prefixes[customer % len(self.prefixes)]
        digits = self.msisdn_digits - len(prefix)
        # A stride without a factor 2 or 5 visits each of the 10^digits numbers once; this one is near the golden ratio.
        stride = 10**digits * 618_034 // 1_000_000 // 10 * 10 + 7
        return f"{prefix}{(customer + 1) * stride % 10**digits:0{digits}d}"

    def geo_code(self, agent: int) -> str:
        """Where the market's nth agent stands: "latitude,longitude", within about 10 km of a town."""
        latitude, longitude = self.places[agent % len(self.places)]
        return f"{latitude + agent * 0.618034 % 0.2 - 0.1:.4f},{longitude + agent * 0.754878 % 0.2 - 0.1:.4f}"


MARKETS = (
    Market(
        "UG", "UGX", 0, 3, 0.40, 3_700, 500, 5_000_000, 12,
        ("25677", "25678", "25676", "25670", "25674", "25675"),
        ((0.3476, 32.5825), (0.4244, 33.2042), (-0.6072, 30.6545)),
    ),
    Market(
        "KE", "KES", 2, 3, 0.20, 130, 10, 250_000, 12,
        ("25470", "25471", "25472", "25479", "25473"),
        ((-1.2864, 36.8172), (-4.0435, 39.6682), (-0.0917, 34.7680)),
    ),
    Market(
        "TZ", "TZS", 2, 3, 0.10, 2_600, 500, 5_000_000, 12,
        ("25575", "25576", "25571", "25565", "25578", "25562"),
        ((-6.7924, 39.2083), (-2.5164, 32.9175)),
    ),
    Market("RW", "RWF", 0, 2, 0.05, 1_400, 100, 2_000_000, 12, ("25078", "25079", "25072"), ((-1.9441, 30.0619),)),
    Market(
        "GH", "GHS", 2, 0, 0.10, 12, 1, 15_000, 12,
        ("23324", "23354", "23355", "23320", "23350", "23326", "23327"),
        ((5.6037, -0.1870), (6.6885, -1.6244)),
    ),
    Market("SN", "XOF", 0, 0, 0.04, 600, 100, 2_000_000, 12, ("22177", "22178", "22176"), ((14.7167, -17.4677),)),
    Market("CI", "XOF", 0, 0, 0.04, 600, 100, 2_000_000, 13, ("22507", "22505", "22501"), ((5.3600, -4.0083),)),
    Market(
        "NG", "NGN", 2, 1, 0.04, 1_500, 50, 1_000_000, 13,
        ("234803", "234806", "234703", "234802", "234808"),
        ((6.5244, 3.3792), (12.0022, 8.5920)),
    ),
    Market("CM", "XAF", 0, 1, 0.03, 600, 100, 1_000_000, 12, ("23767", "23769"), ((4.0511, 9.7679), (3.8480, 11.5021))),
)  # fmt: skip
