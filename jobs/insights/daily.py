"""The business's day, one function per gold table: from silver rows of one day with what they should have cost.

`rows` are those of `charges.with_charges`. What has no party, an erased person's, is counted like any other.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.insights.charges import with_band
from jobs.insights.customers import total
from jobs.insights.parties import alias_of, is_business
from jobs.insights.reference_tables import Reference
from schemas.tables import AGENTS_DAILY, CORRIDORS_DAILY, FAILURES_DAILY, MERCHANTS_DAILY, MONEY, REVENUE_DAILY


def gold_revenue_daily(rows: DataFrame) -> DataFrame:
    """What the operator earns by each product, and what it should have charged: completed transactions alone.

    Net revenue is what was charged less the tax in it and the agents' commission. A levy on the amount is the state's:
    it is told apart and no part of revenue.
    """
    difference = F.col("fee_amount") - F.col("expected_fee")
    products = completed(rows).withColumns(
        {
            "country": F.col("customer_country"),
            "operator": F.col("customer_operator"),
            "sub_type": F.coalesce("sub_type", F.lit("none")),
        }
    )
    earned = products.groupBy(*REVENUE_DAILY.key).agg(
        F.count(F.lit(1)).alias("transaction_count"),
        total(F.col("amount")).alias("amount"),
        total(F.col("fee_amount")).alias("fee_amount"),
        F.count("expected_fee").alias("tariff_count"),
        total(F.col("expected_fee")).alias("expected_fee_amount"),
        total(difference.cast(MONEY)).alias("fee_difference"),
        F.count_if(difference != 0).alias("mischarged_count"),
        total(F.col("fee_tax")).alias("fee_tax_amount"),
        total(F.col("value_tax")).alias("value_tax_amount"),
        F.count("commission").alias("commission_count"),
        total(F.col("commission")).alias("commission_amount"),
    )
    net = F.col("fee_amount") - F.col("fee_tax_amount") - F.col("commission_amount")
    return earned.withColumn("net_revenue", net)


def gold_agents_daily(rows: DataFrame, reference: Reference) -> DataFrame:
    """Cash and float of each agent, and whether its cash-ins look split.

    Commission by bands pays more for two small cash-ins than for one of their sum, so agents split them. `split_score`
    is the share of cash-ins by customers who came more than once that day; `split_gain` what these earned beyond the
    commission of one cash-in of the sum, where both are known.
    """
    cash_in, cash_out = F.col("transaction_type") == "deposit", F.col("transaction_type") == "withdrawal"
    visits = completed(rows).filter(F.col("agent_id").isNotNull() & (cash_in | cash_out))
    customer = F.when(cash_in, F.col("credit_party")).otherwise(F.col("debit_party")).alias("customer")
    by_customer = visits.groupBy(*AGENTS_DAILY.key, customer, "customer_country", "customer_operator").agg(
        F.count_if(cash_in).alias("cash_in_count"),
        F.count_if(cash_out).alias("cash_out_count"),
        total(F.when(cash_in, F.col("amount"))).alias("cash_in_amount"),
        total(F.when(cash_out, F.col("amount"))).alias("cash_out_amount"),
        F.count("commission").alias("commission_count"),
        total(F.col("commission")).alias("commission_amount"),
        F.count(F.when(cash_in, F.col("commission"))).alias("cash_in_commission_count"),
        total(F.when(cash_in, F.col("commission"))).alias("cash_in_commission"),
    )
    return _by_agent(_with_commission_of_sum(by_customer, reference))


def gold_merchants_daily(rows: DataFrame) -> DataFrame:
    """What each merchant and biller was paid; a payee that is a person, a token in silver, is left out."""
    is_paid, is_failed = _has_status("completed"), _has_status("failed")
    return (
        rows.filter(
            F.col("transaction_type").isin("merchantpay", "billpay") & is_business("credit") & (is_paid | is_failed)
        )
        .withColumn("merchant_id", alias_of("credit"))
        .groupBy(*MERCHANTS_DAILY.key)
        .agg(
            F.count_if(is_paid).alias("transaction_count"),
            total(F.when(is_paid, F.col("amount"))).alias("amount"),
            total(F.when(is_paid, F.col("fee_amount"))).alias("fee_amount"),
            F.count_if(is_failed).alias("failed_count"),
            F.count_distinct(F.when(is_paid, F.col("debit_party"))).alias("distinct_payers"),
            F.max(F.when(is_paid, F.col("amount"))).alias("largest_amount"),
        )
    )


def gold_corridors_daily(rows: DataFrame) -> DataFrame:
    """Completed money between operators and countries; the day of `gold_corridor_hourly`, and its payers."""
    return (
        completed(rows)
        .groupBy(*CORRIDORS_DAILY.key)
        .agg(
            F.count(F.lit(1)).alias("transaction_count"),
            total(F.col("amount")).alias("amount"),
            total(F.col("fee_amount")).alias("fee_amount"),
            F.count_distinct("debit_party").alias("distinct_payers"),
            F.max("amount").alias("largest_amount"),
        )
    )


def gold_failures_daily(rows: DataFrame) -> DataFrame:
    """Why transactions failed, as far as records say so; the counts add up to `failed_count` of the key figures."""
    reason = F.coalesce("failure_reason", F.lit("not stated"))
    customer = {"country": F.col("customer_country"), "operator": F.col("customer_operator")}
    return (
        rows.filter(_has_status("failed"))
        .withColumns(customer | {"failure_reason": reason})
        .groupBy(*FAILURES_DAILY.key)
        .agg(
            F.count(F.lit(1)).alias("failed_count"),
            total(F.col("amount")).alias("failed_amount"),
            F.count_distinct("debit_party").alias("distinct_payers"),
        )
    )


def completed(rows: DataFrame) -> DataFrame:
    """The completed transactions among silver rows."""
    return rows.filter(_has_status("completed"))


def _with_commission_of_sum(by_customer: DataFrame, reference: Reference) -> DataFrame:
    """Rows by customer with `whole`: what one cash-in of all the money would have earned."""
    # A sum of the largest amounts may not fit; no band reaches so far.
    as_one = {"transaction_type": F.lit("deposit"), "amount": F.col("cash_in_amount").try_cast(MONEY)}
    return by_customer.withColumns(as_one).transform(with_band, reference.commissions, reference.minor_units, "whole")


def _by_agent(by_customer: DataFrame) -> DataFrame:
    is_split = F.col("cash_in_count") > 1
    is_known = is_split & (F.col("cash_in_commission_count") == F.col("cash_in_count")) & F.col("whole").isNotNull()
    gain = F.greatest(F.col("cash_in_commission") - F.col("whole"), F.lit(0).cast(MONEY))
    sums = ("cash_in_count", "cash_in_amount", "cash_out_count", "cash_out_amount", "commission_count")
    split = F.sum(F.when(is_split, F.col("cash_in_count")).otherwise(0))
    return by_customer.groupBy(*AGENTS_DAILY.key).agg(
        *(F.sum(name).alias(name) for name in (*sums, "commission_amount")),
        (F.sum("cash_out_amount") - F.sum("cash_in_amount")).alias("net_float"),
        F.count("customer").alias("distinct_customers"),
        F.try_divide(split, F.sum("cash_in_count")).alias("split_score"),
        F.coalesce(F.sum(F.when(is_known, gain)), F.lit(0)).alias("split_gain"),
    )


def _has_status(status: str) -> Column:
    return F.col("status") == status
