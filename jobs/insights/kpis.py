"""Key figures per day, country and currency, by the definitions of the GSMA where it has one."""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.insights.charges import with_customer_side
from jobs.insights.customers import accounts, total
from jobs.insights.parties import is_business, is_of_kind
from schemas.tables import MONEY, MONEY_SUM

FLOW_CLASSES = ("cash_in", "cash_out", "circulating", "digital_in", "digital_out", "float", "contra")
PERCENTILES = (0.5, 0.95)
_BANKS = ("bankaccountno", "bankaccounttitle", "bankname", "iban", "sortcode", "swiftbic")
_AREA = ["country", "currency"]


def gold_kpis_daily(rows: DataFrame, day: date) -> DataFrame:
    """All key figures of a day: one row per (event_date, country, currency); `rows` are all of silver up to it.

    Counts and sums are 0 where there is nothing, shares and times null.
    """
    located = with_customer_side(rows).withColumnRenamed("customer_country", "country")
    of_day = flows(located.filter(F.col("event_date") == F.lit(day)))
    together = accounts(rows, day).join(of_day, _AREA, "full").join(times_to_final(located, day), _AREA, "left")
    counts = {name: F.lit(0) for name in together.columns if name.endswith(("_count", "amount"))}
    known = together.withColumns({name: F.coalesce(name, zero) for name, zero in counts.items()})
    return known.withColumns({"event_date": F.lit(day), **rates()})


def flow_class() -> Column:
    """The class of the GSMA that a transaction's money flows in (State of the Industry 2019), and two beside them.

    Cash-in, cash-out; circulating, from wallet to wallet and to merchants; digital in, from banks, organisations and
    abroad; digital out, to banks, billers, airtime and abroad. Which type is which is our reading: money across a
    border is counted where its payer has a wallet, and comes in where none is known. Outside of the five: float,
    between businesses such as agents, and contra, which takes a transaction back.
    """
    type_ = F.col("transaction_type")
    return (
        F.when(type_ == "deposit", "cash_in")
        .when(type_ == "withdrawal", "cash_out")
        .when(type_.isin("reversal", "adjustment"), "contra")
        .when(type_ == "inttransfer", F.when(F.col("debit_country") == "none", "digital_in").otherwise("digital_out"))
        .when((type_ == "disbursement") | is_of_kind("debit", _BANKS), "digital_in")
        .when((type_ == "billpay") | (F.col("sub_type") == "airtime") | is_of_kind("credit", _BANKS), "digital_out")
        .when((type_ == "transfer") & is_business("debit") & is_business("credit"), "float")
        .otherwise("circulating")
    )


def flows(rows: DataFrame) -> DataFrame:
    """Counts and money of these silver rows with their `country`: one row per (country, currency)."""
    completed, failed = F.col("status") == "completed", F.col("status") == "failed"
    is_reversal = F.col("transaction_type") == "reversal"
    classes = [
        total(F.when(completed & (F.col("flow_class") == name), F.col("amount"))).alias(f"{name}_amount")
        for name in FLOW_CLASSES
    ]
    return (
        rows.withColumn("flow_class", flow_class())
        .groupBy(*_AREA)
        .agg(
            F.count_if(completed).alias("transaction_count"),
            F.count_if(failed).alias("failed_count"),
            F.count_if(completed & is_reversal).alias("reversal_count"),
            total(F.when(completed, F.col("amount"))).alias("amount"),
            total(F.when(completed, F.col("fee_amount"))).alias("fee_amount"),
            *classes,
        )
    )


def times_to_final(rows: DataFrame, day: date, percentiles: Sequence[float] = PERCENTILES) -> DataFrame:
    """How long a transaction takes from its pending step to the one that decides it: one row per (country, currency).

    Of those that were completed or failed on the day and whose pending step silver has, of that day or the one before;
    GSMA's requestDate to modificationDate, as far as silver's event times tell. Seconds, exact percentiles, linear
    between neighbours; a pending step that is dated later than the decision does not count.
    """
    is_final = F.col("status").isin("completed", "failed") & (F.col("event_date") == F.lit(day))
    is_pending = (F.col("status") == "pending") & F.col("event_date").between(F.date_sub(F.lit(day), 1), F.lit(day))
    pending = rows.filter(is_pending).select("transaction_reference", F.col("event_time").alias("requested_at"))
    micros = F.unix_micros("event_time") - F.unix_micros("requested_at")
    timed = rows.filter(is_final).join(pending, "transaction_reference", "inner").withColumn("micros", micros)
    columns = [
        (F.percentile("micros", F.lit(share)) / 1_000_000).alias(f"seconds_to_final_p{share * 100:.0f}")
        for share in percentiles
    ]
    return timed.filter(F.col("micros") >= 0).groupBy(*_AREA).agg(F.count(F.lit(1)).alias("timed_count"), *columns)


def rates() -> dict[str, Column]:
    """Shares of the counts beside them, and revenue per user: fees of 30 days over accounts active in them (ARPU)."""
    completed, failed = F.col("transaction_count"), F.col("failed_count")
    active = F.col("active_30d_count")
    arpu = F.when(active > 0, F.col("fee_30d_amount").cast(MONEY_SUM) / active)
    return {
        "activity_rate": F.try_divide(active, F.col("registered_count")),
        "failure_rate": F.try_divide(failed, failed + completed),
        "reversal_rate": F.try_divide(F.col("reversal_count"), completed - F.col("reversal_count")),
        "arpu_30d": F.round(arpu, 4).cast(MONEY),
    }
