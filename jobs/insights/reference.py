"""Read and check the reference data of the business.

The tables are `conf/reference/*.csv`; each says in its first lines what it holds and where that was read. What a table
would leave open is refused: bands with a gap, periods that overlap, a key twice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from jobs.insights.reference_files import Placed, read_rows
from jobs.insights.reference_tables import (
    Agent,
    Band,
    Commission,
    Currency,
    Dated,
    Limit,
    Merchant,
    Reference,
    Tariff,
    Tax,
    TrustStatement,
    days_of,
)
from jobs.msisdn import REFERENCE
from jobs.rules import TYPES


def read_reference(folder: Path = REFERENCE) -> Reference:
    """The reference tables of a folder; raises `SettingsError` that names file and line."""
    currencies = read_rows(folder / "currencies.csv", Currency)
    _refuse_twice(currencies, lambda row: row.code)
    units = {placed.row.code: placed.row.minor_units for placed in currencies}
    tariffs = _bands(read_rows(folder / "tariffs.csv", Tariff), units)
    commissions = _bands(read_rows(folder / "commissions.csv", Commission), units)
    taxes = read_rows(folder / "taxes.csv", Tax)
    for placed in taxes:
        _check_tax(placed, units)
    _refuse_overlap(taxes, lambda row: (row.country, row.currency, row.base))
    limits = read_rows(folder / "limits.csv", Limit)
    _refuse_overlap(limits, lambda row: (row.country, row.currency, row.kyc_tier))
    statements = read_rows(folder / "trust_statements.csv", TrustStatement)
    _refuse_twice(statements, lambda row: f"{row.day} {row.bank} {row.currency}")
    agents, merchants = read_rows(folder / "agents.csv", Agent), read_rows(folder / "merchants.csv", Merchant)
    for agent in agents:
        _check_agent(agent)
    _refuse_twice(agents, lambda row: row.agent_id)
    _refuse_twice(merchants, lambda row: row.merchant_id)
    for of_currency in (limits, statements, agents, merchants):
        _refuse_unknown_currency(of_currency, units)
    return Reference(
        currencies=_rows(currencies),
        tariffs=_rows(tariffs),
        commissions=_rows(commissions),
        taxes=_rows(taxes),
        limits=_rows(limits),
        trust_statements=_rows(statements),
        agents=_rows(agents),
        merchants=_rows(merchants),
    )


_Any = TypeVar("_Any")
_AnyDated = TypeVar("_AnyDated", bound=Dated)
_AnyBand = TypeVar("_AnyBand", Tariff, Commission)


def _rows(table: Iterable[Placed[_Any]]) -> tuple[_Any, ...]:
    return tuple(placed.row for placed in table)


def _bands(rows: list[Placed[_AnyBand]], units: Mapping[str, int]) -> list[Placed[_AnyBand]]:
    """The bands of a table, which leave nothing open."""
    _refuse_unknown_currency(rows, units)
    of_period = _grouped(rows, lambda row: (_product(row), row.valid_from, row.valid_to))
    for bands in of_period.values():
        _refuse_gaps(sorted(bands, key=lambda placed: placed.row.min_amount), units)
    # One band stands for all of its period.
    _refuse_overlap([bands[0] for bands in of_period.values()], _product)
    return rows


def _product(band: Band) -> tuple[str, ...]:
    return band.operator, band.country, band.transaction_type, band.currency


def _refuse_gaps(bands: Sequence[Placed[_AnyBand]], units: Mapping[str, int]) -> None:
    step = Decimal(1).scaleb(-units[bands[0].row.currency])
    for placed in bands:
        band = placed.row
        if band.transaction_type not in TYPES:
            raise placed.wrong(f"'{band.transaction_type}' is no transaction type: choose from {', '.join(TYPES)}")
        for name in ("min_amount", "max_amount", "fixed", "cap"):
            amount = getattr(band, name)
            if amount is not None and amount % step:
                raise placed.wrong(f"{name} is {amount}, but the smallest unit of {band.currency} is {step}")
        if band.pct > 100:
            raise placed.wrong(f"pct is {band.pct}, a percentage from 0 to 100 is expected")
        if band.min_amount > band.max_amount:
            raise placed.wrong(f"min_amount {band.min_amount} is above max_amount {band.max_amount}")
    for before, after in pairwise(bands):
        expected = before.row.max_amount + step
        if after.row.min_amount != expected:
            found = after.row.min_amount
            what = "leaves a gap after" if found > expected else "overlaps"
            raise after.wrong(f"min_amount is {found}, which {what} line {before.line}: {expected} is expected")


def _check_tax(placed: Placed[Tax], units: Mapping[str, int]) -> None:
    tax = placed.row
    if tax.base not in ("value", "fee"):
        raise placed.wrong(f"base is '{tax.base}', value or fee is expected")
    if tax.rate > 1:
        raise placed.wrong(f"rate is {tax.rate}, a fraction from 0 to 1 is expected")
    if unknown := set(tax.exempt_types) - set(TYPES):
        raise placed.wrong(f"exempt_types names '{min(unknown)}', which is no transaction type")
    _refuse_unknown_currency([placed], units)


def _check_agent(placed: Placed[Agent]) -> None:
    if abs(placed.row.latitude) > 90 or abs(placed.row.longitude) > 180:
        raise placed.wrong("latitude is from -90 to 90 degrees, longitude from -180 to 180")


def _refuse_unknown_currency(rows: Iterable[Placed[Any]], units: Mapping[str, int]) -> None:
    for placed in rows:
        if placed.row.currency not in units:
            raise placed.wrong(f"the currency '{placed.row.currency}' is not in currencies.csv")


def _refuse_twice(rows: Iterable[Placed[_Any]], key: Callable[[_Any], Any]) -> None:
    for value, same in _grouped(rows, key).items():
        if len(same) > 1:
            raise same[1].wrong(f"'{value}' is in line {same[0].line} already")


def _refuse_overlap(rows: Iterable[Placed[_AnyDated]], key: Callable[[_AnyDated], Any]) -> None:
    """Raise where two rows with one key hold on the same day."""
    for same in _grouped(rows, key).values():
        for placed in same:
            first, last = days_of(placed.row)
            if first > last:
                raise placed.wrong(f"valid_from {first} is after valid_to {last}")
        for before, after in pairwise(sorted(same, key=lambda placed: days_of(placed.row))):
            if days_of(after.row)[0] <= days_of(before.row)[1]:
                raise after.wrong(f"its days overlap those of line {before.line}")


def _grouped(rows: Iterable[Placed[_Any]], key: Callable[[_Any], Any]) -> dict[Any, list[Placed[_Any]]]:
    groups: dict[Any, list[Placed[_Any]]] = {}
    for placed in rows:
        groups.setdefault(key(placed.row), []).append(placed)
    return groups
