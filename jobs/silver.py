"""Silver: each step of a transaction's life once, by arrival; what breaks a rule goes to quarantine."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import rules
from schemas.tables import BRONZE, QUARANTINE, SILVER


def transactions(events: DataFrame) -> DataFrame:
    """The bronze rows that break no rule, repeats among them: silver's columns but for those added later.

    With the phone numbers that tokens, countries and operators are made of, which silver has not.
    """
    from_bronze = [name for name in SILVER.column_names if name in BRONZE.column_names]
    from_bronze += ["debit_msisdn", "credit_msisdn"]
    return events.filter(rules.accepted()).select(*from_bronze, F.to_date("event_time").alias("event_date"))


def without(rows: DataFrame, places: DataFrame) -> DataFrame:
    """The rows whose place in Kafka (topic, partition, offset) is not among `places`, which are a batch at most."""
    return rows.join(F.broadcast(places), ["topic", "partition", "offset"], "left_anti")


def quarantined(events: DataFrame) -> DataFrame:
    """The bronze rows that break a rule, as rows of the quarantine table that no retry has looked at."""
    known = {
        "first_seen_at": F.col("kafka_timestamp"),
        "tries": F.lit(1),
        "state": F.lit("open"),
        "rules_version": F.lit(rules.RULES_VERSION),
        # Whatever else the field holds stays in bronze: it may be a phone number.
        "currency": F.when(F.col("currency").rlike(rules.CURRENCY_PATTERN), F.col("currency")),
    }
    types = {column.name: column.type for column in QUARANTINE.columns}
    of_a_retry = ("last_broken_rules", "last_tried_at", "closed_reason")
    nothing_yet = {name: F.lit(None).cast(types[name]) for name in of_a_retry}
    return events.filter(~rules.accepted()).withColumns(known | nothing_yet).select(QUARANTINE.column_names)
