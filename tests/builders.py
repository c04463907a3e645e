"""Records with good defaults: a test states only what matters to it."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BinaryType, IntegerType, LongType, StringType, StructField, StructType, TimestampType

from jobs import bronze, enrichment
from jobs.key_ring import VARIABLE, read_ring
from jobs.lake import Lake
from jobs.settings import load_settings
from schemas.tables import BRONZE, SILVER, Table
from tests.frames import frame
from tests.keys import KEYS

SETTINGS = load_settings(environment={})
# The stream remembers the keys of one batch of ODD_DAYS.
FORGETFUL = SETTINGS.model_copy(update={"stream": SETTINGS.stream.model_copy(update={"dedup_keys": 4})})
ARRIVAL = datetime(2026, 3, 27, 18, 0, 0, tzinfo=UTC)
KAFKA_SCHEMA = StructType(
    [
        StructField("key", BinaryType()),
        StructField("value", BinaryType()),
        StructField("topic", StringType()),
        StructField("partition", IntegerType()),
        StructField("offset", LongType()),
        StructField("timestamp", TimestampType()),
    ]
)
RING = read_ring(SETTINGS.privacy, {VARIABLE: KEYS})


def gsma(**changes: Any) -> dict[str, Any]:
    """A completed UGX transfer between two phones; a change of None takes the field away."""
    record = {
        "transactionReference": "T-1",
        "transactionStatus": "completed",
        "type": "transfer",
        "amount": "5000",
        "currency": "UGX",
        "debitParty": [{"key": "msisdn", "value": "256777123456"}],
        "creditParty": [{"key": "msisdn", "value": "256751234567"}],
        "fees": [{"feeType": "transfer", "feeAmount": "100", "feeCurrency": "UGX"}],
        "creationDate": "2026-03-27T17:59:00Z",
        "metadata": [{"key": "channel", "value": "ussd"}],
    } | changes
    return {name: value for name, value in record.items() if value is not None}


def agent_cash(kind: str, agent: str, customer: str, **changes: Any) -> dict[str, Any]:
    """A deposit (cash-in) or withdrawal (cash-out) of a customer at an agent."""
    agent_party, customer_party = [{"key": "identityalias", "value": agent}], [{"key": "msisdn", "value": customer}]
    debit, credit = (agent_party, customer_party) if kind == "deposit" else (customer_party, agent_party)
    return gsma(type=kind, debitParty=debit, creditParty=credit, **changes)


def dummy(**changes: Any) -> dict[str, Any]:
    """The dummy record of the wire contract."""
    return {
        "transaction_id": "D-1",
        "sender_phone_number": "256777123456",
        "receiver_phone_number": "256751234567",
        "transaction_amount": 100000,
        "transaction_time": "2023-04-19 12:00:00",
    } | changes


def _at(reference: str, time: str, **changes: Any) -> dict[str, Any]:
    return gsma(transactionReference=reference, creationDate=time, **changes)


# Four batches: a day with one of everything, the day after with late records, repeats that come too late, today.
ODD_DAYS: tuple[list[Any], ...] = (
    [
        _at("A-1", "2026-03-25T10:00:10Z", amount="100"),
        _at("A-2", "2026-03-25T10:00:50Z", amount="10.50", currency="KES", fees=None),
        _at("A-3", "2026-03-25T10:59:59Z", transactionStatus="pending"),
        _at("A-3", "2026-03-25T11:00:00Z"),
        _at("A-4", "2026-03-25T11:00:00Z", transactionStatus="failed", amount="7"),
        _at("A-5", "2026-03-25T12:30:00Z", type="reversal", originalTransactionReference="A-1", amount="100"),
        _at("A-6", "2026-03-25T12:30:00Z", amount="60"),
        agent_cash("deposit", "AG-1", "256777000001", transactionReference="A-7", creationDate="2026-03-25T12:31:00Z"),
        agent_cash(
            "withdrawal", "AG-1", "256777000002", transactionReference="A-8", creationDate="2026-03-25T12:34:59Z"
        ),
        _at("A-1", "2026-03-25T10:00:10Z", amount="100"),
        _at("A-2", "2026-03-25T10:00:50Z", amount="11"),
        _at("A-9", "2026-03-25T12:35:00Z", amount="0"),
        dummy(),
        b"{",
        None,
    ],
    [
        _at("B-1", "2026-03-25T23:59:59Z", amount="1000"),
        _at("B-2", "2026-03-26T00:00:00Z", amount="2000"),
        _at("B-3", "2026-03-26T15:00:00Z", amount="3000"),
        _at("B-4", "2026-03-25T10:00:59Z", amount="8"),
    ],
    [
        _at("A-1", "2026-03-25T10:00:10Z", amount="100"),
        _at("A-6", "2026-03-25T12:30:00Z", amount="61"),
        _at("C-1", "2026-03-25T10:00:01Z", amount="9"),
        _at("C-2", "2026-03-24T08:00:00Z", amount="40"),
    ],
    [
        _at("Z-1", "2026-03-27T12:00:00Z", amount="500"),
        _at("Z-2", "2026-03-27T17:59:00Z", amount="600"),
        _at("Z-2", "2026-03-27T17:59:00Z", amount="600"),
    ],
)


def encoded(record: Any) -> bytes | None:
    """A record as Kafka carries it; bytes and None as they are."""
    return record if record is None or isinstance(record, bytes) else json.dumps(record).encode()


def kafka_records(spark: SparkSession, records: Iterable[Any], first_offset: int = 0) -> DataFrame:
    """Records as the Kafka source gives them, on one partition, all appended at ARRIVAL."""
    rows = [(b"k", encoded(r), "momo.transactions", 0, first_offset + i, ARRIVAL) for i, r in enumerate(records)]
    return frame(spark, rows, KAFKA_SCHEMA)


def bronze_rows(spark: SparkSession, records: Iterable[Any], first_offset: int = 0) -> DataFrame:
    """Records as rows of bronze."""
    parsed = bronze.parse_events(
        kafka_records(spark, records, first_offset), SETTINGS.dummy, SETTINGS.stream.future_tolerance
    )
    return parsed.withColumn("ingested_at", F.col("kafka_timestamp")).select(BRONZE.column_names)


def put_rows(lake: Lake, table: Table, *rows: dict[str, Any]) -> None:
    """Add rows to a table without Spark; a column that a row does not name is null."""
    schema = to_arrow_schema(table.schema, timezone="UTC")
    write_deltalake(lake.table_path(table), pa.Table.from_pylist(list(rows), schema=schema), mode="append")


def silver_rows(spark: SparkSession, records: Iterable[Any], stream_time: datetime | None = None) -> DataFrame:
    """Records as rows of silver whether they break a rule or not."""
    timed = bronze_rows(spark, records).withColumn("stream_time", F.lit(stream_time).cast("timestamp"))
    enriched = enrichment.with_steps(timed, enrichment.silver_columns(RING))
    return enriched.withColumn("event_date", F.to_date("event_time")).select(SILVER.column_names)
