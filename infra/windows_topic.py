"""The topic of windows that the Kafka Streams application writes: JSON keys and values, the newest of a key counts."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from kafka import KafkaConsumer, TopicPartition

from infra.kafka_clients import client_options
from jobs.settings import Settings

_MONEY = pa.decimal128(32, 4)
_KEY = {
    "window_start": pa.timestamp("us", tz="UTC"),
    "transaction_type": pa.string(),
    "currency": pa.string(),
    "channel": pa.string(),
}
_MEASURES = {
    "event_count": pa.int64(),
    "transaction_count": pa.int64(),
    "amount": _MONEY,
    "failed_count": pa.int64(),
    "failed_amount": _MONEY,
    "fee_amount": _MONEY,
}
SCHEMA = pa.schema(list((_KEY | _MEASURES).items()))


def read_windows(settings: Settings, topic: str) -> pa.Table:
    """The windows of the topic as they are committed now, in order of their keys.

    One row per minute of event time, type, currency and channel, with columns that are named and typed as those of
    `gold_transactions_per_minute`.
    """
    newest = _newest_values(settings, topic)
    rows = [_row(json.loads(key), json.loads(value)) for key, value in newest.items()]
    return pa.Table.from_pylist(rows, SCHEMA).sort_by([(name, "ascending") for name in _KEY])


def _newest_values(settings: Settings, topic: str) -> dict[bytes, bytes]:
    consumer = KafkaConsumer(
        **client_options(settings.kafka),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        newest: dict[bytes, bytes] = {}
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=200, max_records=50_000).values():
                newest |= {record.key: record.value for record in records}
        return newest
    finally:
        consumer.close()


def _row(key: dict[str, str], value: dict[str, Any]) -> dict[str, Any]:
    start = datetime.fromisoformat(key["window_start"])
    money = {name: Decimal(value[name]) for name, kind in _MEASURES.items() if kind == _MONEY}
    return key | value | money | {"window_start": start}
