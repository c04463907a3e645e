"""What each transaction should have cost, by the reference tables: fee, taxes, agent's commission.

Joined by broadcast on operator, country, type, currency, day of the event and band of the amount. A tariff holds on one
day and for one amount once, so no row is doubled; where none is known the expected amount is null, never zero.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.insights.reference_tables import Band, Reference, Tariff, Tax, days_of
from jobs.rules import FIRST_EVENT_TIME
from schemas.tables import MONEY

# ISO 4217: most currencies have two digits after the point.
_MINOR_UNITS = 2
_MONEY, _RATE = pa.decimal128(22, 4), pa.decimal128(12, 8)
_DAYS = {"valid_from": pa.date32(), "valid_to": pa.date32()}
_BAND = {
    "operator": pa.string(), "country": pa.string(), "type": pa.string(), "currency": pa.string(),
    "min_amount": _MONEY, "max_amount": _MONEY, "fixed": _MONEY, "rate": _RATE, "cap": _MONEY,
    "tax_inclusive": pa.bool_(), **_DAYS,
}  # fmt: skip
_TAX = {
    "country": pa.string(), "currency": pa.string(), "rate": _RATE, "threshold": _MONEY,
    "exempt_types": pa.list_(pa.string()), **_DAYS,
}  # fmt: skip


def with_customer_side(rows: DataFrame) -> DataFrame:
    """Silver rows with `customer_country` and `customer_operator`: the payer's, the payee's where a business pays."""
    is_payer = F.col("debit_country") != "none"
    return rows.withColumns(
        {
            f"customer_{what}": F.when(is_payer, F.col(f"debit_{what}")).otherwise(F.col(f"credit_{what}"))
            for what in ("country", "operator")
        }
    )


def with_charges(rows: DataFrame, reference: Reference) -> DataFrame:
    """Silver rows with the customer's side and what each should have cost, in its currency, whatever its status.

    `expected_fee` and `commission` are null where no band is known; `fee_tax`, on the fee that was charged, and
    `value_tax` are 0 where no tax is known. All are rounded half up to the currency's minor unit.
    """
    return (
        with_customer_side(rows)
        .transform(with_band, reference.tariffs, reference.minor_units, "expected_fee", "tax_inclusive")
        .transform(with_band, reference.commissions, reference.minor_units, "commission")
        .transform(_with_tax, reference, "value")
        .transform(_with_tax, reference, "fee")
        .drop("tax_inclusive")
    )


def with_band(rows: DataFrame, bands: Sequence[Band], units: Mapping[str, int], name: str, *also: str) -> DataFrame:
    """Rows with the price `name` of their band: fixed + rate of the amount, at most the cap; null without a band.

    `units` are the minor units by currency; `also` are columns of the band to be taken along.
    """
    table = _prefixed(rows.sparkSession, map(_band_row, bands), _BAND)
    is_theirs = (
        (F.col("customer_operator") == F.col("_operator"))
        & (F.col("customer_country") == F.col("_country"))
        & (F.col("transaction_type") == F.col("_type"))
        & (F.col("currency") == F.col("_currency"))
        & F.col("amount").between(F.col("_min_amount"), F.col("_max_amount"))
        & F.col("event_date").between(F.col("_valid_from"), F.col("_valid_to"))
    )
    # least() passes over a cap that is null; a row without a band must stay null.
    price = F.when(F.col("_fixed").isNotNull(), F.least(F.col("_fixed") + F.col("amount") * F.col("_rate"), "_cap"))
    columns = {name: rounded(price, units)} | {column: F.col(f"_{column}") for column in also}
    return rows.join(table, is_theirs, "left").select(*rows.columns, *(c.alias(n) for n, c in columns.items()))


def rounded(money: Column, minor_units: Mapping[str, int]) -> Column:
    """Money half up to the minor unit of `currency`; an unknown currency has two digits."""
    value = F.round(money, _MINOR_UNITS).cast(MONEY)
    for digits in sorted(set(minor_units.values()) - {_MINOR_UNITS}):
        codes = [code for code, units in minor_units.items() if units == digits]
        value = F.when(F.col("currency").isin(*codes), F.round(money, digits).cast(MONEY)).otherwise(value)
    return value


def _with_tax(rows: DataFrame, reference: Reference, base: str) -> DataFrame:
    """Rows with `value_tax` or `fee_tax`. A fee holds its tax already, unless its tariff says otherwise."""
    taxes = [tax for tax in reference.taxes if tax.base == base]
    table = _prefixed(rows.sparkSession, map(_tax_row, taxes), _TAX)
    taxed = F.col("amount" if base == "value" else "fee_amount")
    is_due = (
        (F.col("customer_country") == F.col("_country"))
        & (F.col("currency") == F.col("_currency"))
        & (taxed > F.col("_threshold"))
        & ~F.array_contains("_exempt_types", F.col("transaction_type"))
        & F.col("event_date").between(F.col("_valid_from"), F.col("_valid_to"))
    )
    on_top = taxed * F.col("_rate")
    is_within = F.lit(base == "fee") & F.coalesce(F.col("tax_inclusive"), F.lit(True))
    due = F.when(is_within, on_top / (1 + F.col("_rate"))).otherwise(on_top)
    tax = F.coalesce(rounded(due, reference.minor_units), F.lit(0).cast(MONEY))
    return rows.join(table, is_due, "left").select(*rows.columns, tax.alias(f"{base}_tax"))


def _band_row(band: Band) -> dict[str, Any]:
    of_band = {name: getattr(band, name) for name in _BAND if hasattr(band, name)}
    within = band.tax_inclusive if isinstance(band, Tariff) else None
    rate = band.pct / Decimal(100)
    return of_band | {"type": band.transaction_type, "rate": rate, "tax_inclusive": within} | _days(band)


def _tax_row(tax: Tax) -> dict[str, Any]:
    return {name: getattr(tax, name) for name in _TAX} | {"exempt_types": list(tax.exempt_types)} | _days(tax)


def _days(row: Band | Tax) -> dict[str, date]:
    first, last = days_of(row)
    # Nothing in silver is older, and readers in other languages know no year 1.
    return {"valid_from": max(first, FIRST_EVENT_TIME.date()), "valid_to": last}


def _prefixed(spark: SparkSession, rows: Iterable[dict[str, Any]], columns: Mapping[str, pa.DataType]) -> DataFrame:
    """A reference table to be broadcast, its columns with an underscore before the name."""
    schema = pa.schema([(f"_{name}", type_) for name, type_ in columns.items()])
    named = [{f"_{name}": value for name, value in row.items()} for row in rows]
    return F.broadcast(spark.createDataFrame(pa.Table.from_pylist(named, schema=schema)))
