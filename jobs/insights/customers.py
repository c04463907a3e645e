"""Customers by their tokens: what each did on a day and to whom, and how many accounts there are and are in use."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.insights.parties import is_business
from jobs.rules import TRANSFERS
from schemas.tables import CUSTOMERS_DAILY, MONEY, PAIRS_DAILY

ACTIVE_DAYS = (30, 90)
# What moves no value of the customer's own choosing.
_CONTRA = ("reversal", "adjustment")


def gold_customers_daily(rows: DataFrame) -> DataFrame:
    """What each person did on a day: one row per (event_date, customer_token, currency) of these silver rows.

    A payment to oneself, in two spellings of a number, is both one in and one out.
    """
    completed, failed, out = _has_status("completed"), _has_status("failed"), F.col("is_payer")
    transfer = completed & out & F.col("transaction_type").isin(*TRANSFERS)
    amounts = {"in": completed & ~out, "out": completed & out}
    return (
        sides(rows)
        .groupBy(*CUSTOMERS_DAILY.key)
        .agg(
            F.max("country").alias("country"),
            F.count(F.lit(1)).alias("event_count"),
            *(F.count_if(side).alias(f"{name}_count") for name, side in amounts.items()),
            *(total(F.when(side, F.col("amount"))).alias(f"{name}_amount") for name, side in amounts.items()),
            F.count_if(transfer).alias("transfer_count"),
            F.max(F.when(transfer, F.col("amount"))).alias("largest_transfer_amount"),
            total(F.when(completed & F.col("pays_fee"), F.col("fee_amount"))).alias("fee_amount"),
            F.count_if(failed).alias("failed_count"),
            F.min("event_time").alias("first_event_time"),
            F.max("event_time").alias("last_event_time"),
        )
    )


def gold_pairs_daily(rows: DataFrame) -> DataFrame:
    """Who sent money to whom on a day: one row per (event_date, payer_token, payee_token, currency).

    Completed transfers between two persons; whom silver does not name, an erased person too, is in no pair.
    """
    both = F.col("debit_token").isNotNull() & F.col("credit_token").isNotNull()
    sent = rows.filter(_has_status("completed") & F.col("transaction_type").isin(*TRANSFERS) & both)
    return (
        sent.withColumnsRenamed({"debit_token": "payer_token", "credit_token": "payee_token"})
        .groupBy(*PAIRS_DAILY.key)
        .agg(
            F.count(F.lit(1)).alias("transfer_count"),
            total(F.col("amount")).alias("amount"),
            F.min("event_time").alias("first_event_time"),
            F.max("event_time").alias("last_event_time"),
        )
    )


def sides(rows: DataFrame) -> DataFrame:
    """Each silver row as one row per person it names: the token, its country, and whether the person pays.

    `pays_fee` is true for the payer, and for the payee whom a business pays: each fee is paid once.
    """
    payer = _side("debit", is_payer=True, pays_fee=F.lit(True))
    payee = _side("credit", is_payer=False, pays_fee=is_business("debit"))
    kept = ("event_date", "event_time", "status", "transaction_type", "currency", "amount", "fee_amount")
    return rows.select(*kept, F.inline(F.array(payer, payee))).filter(F.col("customer_token").isNotNull())


def accounts(rows: DataFrame, day: date, windows: tuple[int, int] = ACTIVE_DAYS) -> DataFrame:
    """Accounts at the end of a day, and their use: one row per (country, currency); `rows` are all of silver up to it.

    An account is a person's token in a currency; registered is whoever silver has seen, for nobody tells us of accounts
    that never moved. Active in a window of so many days, this one the last: at least one completed transaction in or
    out that moves value, cash-in and cash-out among them; reversals and adjustments are none (GSMA, State of the
    Industry: 30 and 90 days; the central banks of Ghana and Uganda: 90). `fee_…d_amount` are the fees that the accounts
    paid in the shorter window.
    """
    short, long = windows
    is_use = _has_status("completed") & ~F.col("transaction_type").isin(*_CONTRA)
    paid = _has_status("completed") & F.col("pays_fee") & _is_within(F.col("event_date"), day, short)
    each = (
        sides(rows)
        .filter(F.col("event_date") <= F.lit(day))
        .groupBy("country", "currency", "customer_token")
        .agg(
            F.max(F.when(is_use, F.col("event_date"))).alias("last_used"),
            total(F.when(paid, F.col("fee_amount"))).alias("fee_amount"),
        )
    )
    active = [F.count_if(_is_within(F.col("last_used"), day, n)).alias(f"active_{n}d_count") for n in (short, long)]
    return each.groupBy("country", "currency").agg(
        F.count(F.lit(1)).alias("registered_count"), *active, F.sum("fee_amount").alias(f"fee_{short}d_amount")
    )


def total(money: Column) -> Column:
    """The sum of money; 0 where there is none."""
    return F.coalesce(F.sum(money), F.lit(0).cast(MONEY))


def _is_within(event_date: Column, day: date, days: int) -> Column:
    return event_date > F.date_sub(F.lit(day), days)


def _side(side: str, is_payer: bool, pays_fee: Column) -> Column:
    return F.struct(
        F.col(f"{side}_token").alias("customer_token"),
        F.col(f"{side}_country").alias("country"),
        F.lit(is_payer).alias("is_payer"),
        pays_fee.alias("pays_fee"),
    )


def _has_status(status: str) -> Column:
    return F.col("status") == status
