"""What the reference tables hold: one class per file of `conf/reference`, one field per column, in its order.

All money is in major units of `currency`, days are those of event time.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True)
class Currency:
    """A currency and its digits after the point (ISO 4217)."""

    code: str
    minor_units: int


@dataclass(frozen=True)
class Commission:
    """What an agent's organisation earns by a transaction of this amount: fixed + pct percent, at most cap.

    Both ends of the band are in it. Money is in major units of `currency`.
    """

    operator: str
    country: str
    transaction_type: str
    currency: str
    min_amount: Decimal
    max_amount: Decimal
    fixed: Decimal
    pct: Decimal
    cap: Decimal | None
    valid_from: date | None
    valid_to: date | None
    source: str


@dataclass(frozen=True)
class Tariff:
    """What a customer is charged for a transaction of this amount, as `Commission`; with or without the tax on it."""

    operator: str
    country: str
    transaction_type: str
    currency: str
    min_amount: Decimal
    max_amount: Decimal
    fixed: Decimal
    pct: Decimal
    cap: Decimal | None
    tax_inclusive: bool
    valid_from: date | None
    valid_to: date | None
    source: str


Band = Tariff | Commission


@dataclass(frozen=True)
class Tax:
    """A tax on the value or on the fee: a fraction of all of it, where it is above the threshold."""

    country: str
    currency: str
    name: str
    base: str
    rate: Decimal
    threshold: Decimal
    exempt_types: tuple[str, ...]
    valid_from: date | None
    valid_to: date | None
    source: str


@dataclass(frozen=True)
class Limit:
    """The most that a customer of this tier may move or hold; None where there is no limit, or none that is known."""

    country: str
    currency: str
    kyc_tier: str
    per_txn: Decimal | None
    daily: Decimal | None
    monthly: Decimal | None
    balance: Decimal | None
    valid_from: date | None
    valid_to: date | None
    source: str


@dataclass(frozen=True)
class TrustStatement:
    """What a bank holds in trust for the holders of e-money, at the end of a day (UTC), by its statement."""

    day: date
    bank: str
    currency: str
    amount: Decimal
    source: str


@dataclass(frozen=True)
class Agent:
    """An agent, where it stands in degrees, and the e-money it should never have less of."""

    agent_id: str
    country: str
    currency: str
    region: str
    latitude: float
    longitude: float
    float_min: Decimal


@dataclass(frozen=True)
class Merchant:
    """A business that customers pay; a biller is paid by account number."""

    merchant_id: str
    country: str
    currency: str
    is_biller: bool


@dataclass(frozen=True)
class Reference:
    """All reference tables, checked."""

    currencies: tuple[Currency, ...]
    tariffs: tuple[Tariff, ...]
    commissions: tuple[Commission, ...]
    taxes: tuple[Tax, ...]
    limits: tuple[Limit, ...]
    trust_statements: tuple[TrustStatement, ...]
    agents: tuple[Agent, ...]
    merchants: tuple[Merchant, ...]

    @property
    def minor_units(self) -> dict[str, int]:
        """Digits after the point by currency."""
        return {currency.code: currency.minor_units for currency in self.currencies}


class Dated(Protocol):
    """What holds from a day to a day, both included; None is an open end."""

    @property
    def valid_from(self) -> date | None:
        """The first day."""

    @property
    def valid_to(self) -> date | None:
        """The last day."""


def days_of(row: Dated) -> tuple[date, date]:
    """First and last day on which a row holds; an open end is the first or last day there is."""
    return row.valid_from or date.min, row.valid_to or date.max
