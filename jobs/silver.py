"""Silver: each step of a transaction's life once, by arrival; what breaks a rule goes to quarantine."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import rules
from schemas.tables import BRONZE, QUARANTINE, SILVER


def transactions(events: DataFrame) -> DataFrame:
    """The bronze rows that break no rule: silver's columns but for those added later, and `ingested_at`."""
    from_bronze = [name for name in SILVER.column_names if name in BRONZE.column_names]
    accepted = events.filter(rules.accepted()).select(*from_bronze, "ingested_at")
    return accepted.withColumn("event_date", F.to_date("event_time"))


def deduplicate(transactions: DataFrame, dedup_horizon: str) -> DataFrame:
    """Transactions without the repeats that arrive within the horizon of the first.

    Of rows with the same reference and status the first in Kafka's order stays, whatever the others say. Time is
    `ingested_at`, when bronze wrote the row: it only goes forward, so however far apart a backlog's partitions are,
    no row is ever too late.
    """
    in_order = transactions.repartition(*SILVER.key).sortWithinPartitions("topic", "partition", "offset")
    return in_order.withWatermark("ingested_at", dedup_horizon).dropDuplicatesWithinWatermark(list(SILVER.key))


def quarantined(events: DataFrame) -> DataFrame:
    """The bronze rows that break a rule, as rows of the quarantine table."""
    return (
        events.filter(~rules.accepted())
        .withColumns({"first_seen_at": F.col("kafka_timestamp"), "tries": F.lit(1), "state": F.lit("open")})
        .select(QUARANTINE.column_names)
    )
