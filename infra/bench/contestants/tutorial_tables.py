"""The tutorial's transforms: raw bronze, silver parsed from it, quarantine beside it, windows over silver."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

LATENESS = "10 minutes"

EVENT = """
    transactionReference string, originalTransactionReference string, transactionStatus string, type string,
    subType string, amount string, currency string, requestDate timestamp, creationDate timestamp,
    modificationDate timestamp, debitParty array<struct<key: string, value: string>>,
    creditParty array<struct<key: string, value: string>>, metadata array<struct<key: string, value: string>>,
    fees array<struct<feeType: string, feeAmount: string, feeCurrency: string>>
"""
COORDINATES = {"topic": "string", "partition": "int", "offset": "bigint", "kafka_timestamp": "timestamp"}
BRONZE = {**COORDINATES, "key": "string", "value": "string"}
SILVER = {
    "transaction_reference": "string",
    "original_transaction_reference": "string",
    "status": "string",
    "transaction_type": "string",
    "sub_type": "string",
    "amount": "decimal(22,4)",
    "currency": "string",
    "fee_amount": "decimal(22,4)",
    "debit_party": "string",
    "credit_party": "string",
    "channel": "string",
    "event_time": "timestamp",
    **COORDINATES,
}
QUARANTINE = {**BRONZE, "reason": "string"}
GOLD_KEY = ("window_start", "transaction_type", "currency", "channel")
GOLD = {
    "window_start": "timestamp",
    "window_end": "timestamp",
    **dict.fromkeys(GOLD_KEY[1:], "string"),
    "event_count": "bigint",
    "transaction_count": "bigint",
    "amount": "decimal(32,4)",
}


def raw(records: DataFrame) -> DataFrame:
    """Kafka records as they came, key and value as text."""
    return records.select(
        "topic",
        "partition",
        "offset",
        F.col("timestamp").alias("kafka_timestamp"),
        F.col("key").cast("string").alias("key"),
        F.col("value").cast("string").alias("value"),
    )


def transactions(bronze: DataFrame) -> DataFrame:
    """The records fit for silver, each (reference, status) once."""
    valid = _parsed(bronze).filter(_reason().isNull())
    once = valid.withWatermark("event_time", LATENESS).dropDuplicates(["transaction_reference", "status"])
    return once.select(*SILVER)


def refused(bronze: DataFrame) -> DataFrame:
    """The records unfit for silver, with the reason."""
    invalid = _parsed(bronze).withColumn("reason", _reason()).filter(F.col("reason").isNotNull())
    return invalid.select(*QUARANTINE)


def per_minute(silver: DataFrame) -> DataFrame:
    """Windows of a minute of event time by type, currency and channel; money of completed transactions alone."""
    completed = F.col("status") == "completed"
    keys = [F.window("event_time", "1 minute"), *map(F.col, GOLD_KEY[1:])]
    counted = silver.withWatermark("event_time", LATENESS).groupBy(*keys).agg(
        F.count("*").alias("event_count"),
        F.count(F.when(completed, True)).alias("transaction_count"),
        F.coalesce(F.sum(F.when(completed, F.col("amount"))), F.lit(0)).cast("decimal(32,4)").alias("amount"),
    )  # fmt: skip
    window = (F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end"))
    return counted.select(*window, *list(GOLD)[2:])


def _parsed(bronze: DataFrame) -> DataFrame:
    return bronze.select("*", F.from_json("value", EVENT).alias("event")).select(
        *bronze.columns,
        F.col("event.transactionReference").alias("transaction_reference"),
        F.col("event.originalTransactionReference").alias("original_transaction_reference"),
        F.lower("event.transactionStatus").alias("status"),
        F.col("event.type").alias("transaction_type"),
        F.col("event.subType").alias("sub_type"),
        F.col("event.amount").try_cast("decimal(22,4)").alias("amount"),
        F.col("event.currency").alias("currency"),
        F.expr(
            "aggregate(coalesce(event.fees, array()), cast(0 as decimal(22,4)), "
            "(sum, fee) -> cast(sum + try_cast(fee.feeAmount as decimal(22,4)) as decimal(22,4)))"
        ).alias("fee_amount"),
        _party("debitParty").alias("debit_party"),
        _party("creditParty").alias("credit_party"),
        _channel().alias("channel"),
        F.coalesce("event.modificationDate", "event.creationDate", "event.requestDate").alias("event_time"),
    )


def _party(name: str) -> Column:
    first = F.get(F.col(f"event.{name}"), F.lit(0))
    return F.concat_ws(":", first["key"], first["value"])


def _channel() -> Column:
    entries = F.filter(F.col("event.metadata"), lambda entry: entry["key"] == "channel")
    return F.coalesce(F.lower(F.get(entries, F.lit(0))["value"]), F.lit("unknown"))


def _reason() -> Column:
    """What is wrong with the record first of all; null when it is fit for silver."""
    return (
        F.when(F.col("transaction_reference").isNull(), "no reference")
        .when(F.col("status").isNull(), "no status")
        .when(F.col("amount").isNull() | (F.col("amount") < 0), "no amount")
        .when(F.col("currency").isNull() | (F.length("currency") != 3), "no currency")
        .when(F.col("event_time").isNull(), "no time")
    )
