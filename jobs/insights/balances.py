"""What accounts hold, as far as records state it: whether it follows from what moved, and whether trust covers it.

An account is a person's token or a business's alias, in a currency; whom silver does not name, an erased person too,
has none. Source: GSMA Code of Conduct for Mobile Money Providers, principle 1 (funds equal to liabilities).
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.insights.customers import total
from jobs.insights.parties import alias_of, is_business
from jobs.insights.reference_tables import Limit, TrustStatement, days_of
from schemas.tables import BALANCES_DAILY, MONEY_SUM

_ACCOUNT = ("account", "currency")


def gold_balances_daily(rows: DataFrame, limits: Sequence[Limit]) -> DataFrame:
    """What was stated of each account on a day, and whether it follows: one row per (event_date, account, currency).

    From the first transaction that states the account's balance to the last one, closing = opening + credits - debits
    (double entry). Whatever moved in between counts, stated or not, so a difference is money that moved without a
    record, or a balance that is wrong. The order is that of event time, within one instant that of Kafka.
    """
    of_account = Window.partitionBy(*BALANCES_DAILY.key)
    is_stated = F.col("before").isNotNull() | F.col("after").isNotNull()
    stated_at = F.when(is_stated, F.col("place"))
    span = {"first_place": F.min(stated_at).over(of_account), "last_place": F.max(stated_at).over(of_account)}
    within = F.col("place").between(F.col("first_place"), F.col("last_place"))
    change, before, after = F.col("change"), _before(), _after()
    is_negative = F.least("before", "after") < 0
    sums = (
        movements(rows)
        .withColumns(span)
        .filter(within)
        .withColumn("balance_limit", _highest_limit(limits))
        .groupBy(*BALANCES_DAILY.key)
        .agg(
            F.count(F.lit(1)).alias("transaction_count"),
            F.count_if(is_stated).alias("stated_count"),
            F.min_by(before, "place").alias("opening_balance"),
            total(F.when(change > 0, change)).alias("credit_amount"),
            total(F.when(change < 0, -change)).alias("debit_amount"),
            F.max_by(after, "place").alias("closing_balance"),
            F.count_if(F.col("before") + change != F.col("after")).alias("mismatch_count"),
            F.count_if(is_negative).alias("negative_count"),
            F.count_if(F.col("after") > F.col("balance_limit")).alias("over_limit_count"),
        )
    )
    expected = F.col("opening_balance") + F.col("credit_amount") - F.col("debit_amount")
    return sums.withColumn("difference_amount", F.col("closing_balance") - expected)


def gold_trust_daily(rows: DataFrame, day: date, statements: Sequence[TrustStatement]) -> DataFrame:
    """E-money that people and businesses hold at a day's end, against money in trust: one row per currency.

    `rows` are all of silver up to the day. An account holds its last stated balance and what moved since. The ratio is
    measured, it is no identity: below 1, e-money is not covered (GSMA Code of Conduct; BCEAO's ratio of equivalence).
    Only currencies of which a balance was stated, or a bank's statement is in `trust_statements.csv`.
    """
    held = _held(movements(rows.filter(F.col("event_date") <= F.lit(day))))
    by_currency = held.groupBy("currency").agg(
        F.count(F.lit(1)).alias("account_count"),
        F.count("amount").alias("stated_count"),
        total(F.col("amount")).alias("outstanding_amount"),
    )
    joined = by_currency.withColumn("trust_amount", _in_trust(day, statements))
    is_known = (F.col("stated_count") > 0) | F.col("trust_amount").isNotNull()
    is_positive = F.col("outstanding_amount") > 0
    ratio = F.when(is_positive, F.col("trust_amount").cast("double") / F.col("outstanding_amount").cast("double"))
    return joined.filter(is_known).select(
        F.lit(day).alias("event_date"),
        *joined.columns,
        ratio.alias("trust_ratio"),
        (F.col("trust_amount") - F.col("outstanding_amount")).alias("difference_amount"),
    )


def movements(rows: DataFrame) -> DataFrame:
    """Each completed silver row as one row per account it moves: by how much, and the balances that are stated.

    The fee is the payer's, and the payee's where a business pays a person, as in `gold_customers_daily`.
    """
    pays = F.when(is_business("debit") & F.col("credit_token").isNotNull(), "credit").otherwise("debit")
    done = rows.filter(F.col("status") == "completed").withColumn("pays_fee", pays)
    return done.select(
        "event_date", "currency", "event_time", F.inline(F.array(_side("debit", -1), _side("credit", 1)))
    ).filter(F.col("account").isNotNull())


def _side(side: str, sign: int) -> Column:
    fee = F.when(F.col("pays_fee") == side, F.col("fee_amount")).otherwise(0)
    token, alias = F.col(f"{side}_token"), F.when(is_business(side), alias_of(side))
    return F.struct(
        F.coalesce(token, alias).alias("account"),
        F.col(f"{side}_country").alias("country"),
        F.struct("event_time", "partition", "offset", F.lit(sign)).alias("place"),
        (F.col("amount") * sign - fee).cast(MONEY_SUM).alias("change"),
        F.col(f"{side}_balance_before").cast(MONEY_SUM).alias("before"),
        F.col(f"{side}_balance_after").cast(MONEY_SUM).alias("after"),
    )


def _before() -> Column:
    """The balance before, by what is stated after where it is not stated itself."""
    return F.coalesce(F.col("before"), F.col("after") - F.col("change")).cast(MONEY_SUM)


def _after() -> Column:
    return F.coalesce(F.col("after"), F.col("before") + F.col("change")).cast(MONEY_SUM)


def _held(moves: DataFrame) -> DataFrame:
    """What each account holds at the end: one row per (account, currency), `amount` null where nothing was stated."""
    stated = F.when(_after().isNotNull(), F.struct(F.col("place"), _after().alias("balance")))
    accounts = moves.groupBy(*_ACCOUNT).agg(F.max(stated).alias("last"))
    anchored = accounts.filter(F.col("last").isNotNull())
    since = (
        moves.join(anchored, list(_ACCOUNT))
        .filter(F.col("place") > F.col("last.place"))
        .groupBy(*_ACCOUNT)
        .agg(F.sum("change").alias("moved"))
    )
    amount = F.col("last.balance") + F.coalesce("moved", F.lit(0).cast(MONEY_SUM))
    return accounts.join(since, list(_ACCOUNT), "left").select(*_ACCOUNT, amount.alias("amount"))


def _in_trust(day: date, statements: Sequence[TrustStatement]) -> Column:
    """The banks' statements of the day, summed by `currency`; null without any."""
    sums: dict[str, Decimal] = {}
    for statement in statements:
        if statement.day == day:
            sums[statement.currency] = sums.get(statement.currency, Decimal(0)) + statement.amount
    return _first_of(F.when(F.col("currency") == currency, F.lit(amount)) for currency, amount in sums.items())


def _highest_limit(limits: Sequence[Limit]) -> Column:
    """The most that a person may hold at any level of identification, for silver knows of no level; null for none."""
    by_amount = sorted((limit for limit in limits if limit.balance), key=lambda limit: limit.balance or 0, reverse=True)
    return _first_of(F.when(_is_subject_to(limit), F.lit(limit.balance)) for limit in by_amount)


def _is_subject_to(limit: Limit) -> Column:
    is_theirs = (F.col("country") == limit.country) & (F.col("currency") == limit.currency)
    return is_theirs & F.col("event_date").between(*map(F.lit, days_of(limit)))


def _first_of(amounts: Iterable[Column]) -> Column:
    return F.coalesce(*(amount.cast(MONEY_SUM) for amount in amounts), F.lit(None).cast(MONEY_SUM))
