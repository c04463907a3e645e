"""Silver: each step of a transaction's life once, by arrival; what breaks a rule goes to quarantine."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs import rules
from schemas.tables import QUARANTINE, SILVER


def deduplicate(events: DataFrame, dedup_horizon: str) -> DataFrame:
    """Bronze rows without the repeats that arrive within the horizon of the first.

    Of rows with the same reference and status the first in Kafka's order stays, whatever the others say; rows
    that break a rule have no trusted key and all stay. Time is `ingested_at`, when bronze wrote the row: it only
    goes forward, so however far apart a backlog's partitions are, no row is ever too late.
    """
    keyed = events.withColumn("repeat_key", _repeat_key())
    in_order = keyed.repartition("repeat_key").sortWithinPartitions("topic", "partition", "offset")
    return in_order.withWatermark("ingested_at", dedup_horizon).dropDuplicatesWithinWatermark(["repeat_key"])


def _repeat_key() -> Column:
    transaction = F.to_json(F.struct("transaction_reference", "status"))
    record = F.to_json(F.struct("topic", "partition", "offset"))
    return F.when(rules.accepted(), transaction).otherwise(record)


def transactions(events: DataFrame) -> DataFrame:
    """The rows that break no rule, as rows of the silver table; needs `stream_time` and the enrichment's columns."""
    return (
        events.filter(rules.accepted())
        .withColumn("event_date", F.to_date("event_time"))
        .select(SILVER.column_names)
    )  # fmt: skip


def quarantined(events: DataFrame) -> DataFrame:
    """The rows that break a rule, as rows of the quarantine table."""
    return (
        events.filter(~rules.accepted())
        .withColumns({"first_seen_at": F.col("kafka_timestamp"), "tries": F.lit(1), "state": F.lit("open")})
        .select(QUARANTINE.column_names)
    )
