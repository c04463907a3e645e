"""The contestant polars: what a good hand-written loop of confluent-kafka, Polars and delta-rs does.

It runs in the environment of `infra.bench.peers` and uses nothing of this project. It reads big batches, parses
each as a whole (by pyarrow.json: half the CPU time of Polars' `str.json_decode`, two thirds of orjson with columns),
applies the row rules and commits each batch once per table: bronze, silver, and gold with one row per minute, type,
currency and channel.

What it does NOT do, and momostream does:
- drop repeats: a record that was sent twice is in silver twice;
- keep what it refuses: no quarantine, no reasons, no dummy format. A record of another shape (not JSON, an amount that
  is a number, metadata that is an object, no value) ends it; one with a fee in a foreign currency is refused, one with
  more decimals than its currency has is not;
- look up countries and operators of the numbers;
- go on after a stop: the commits name the offsets, but nothing reads them, and a table may be ahead of another;
- correct or close windows: those of all times stay in memory, and gold is written anew in each batch. It has events,
  completed transactions and their amount, not the seven other measures, and there are no further gold tables;
- use a second machine.
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition
from deltalake import CommitProperties, Transaction, write_deltalake
from polars import col, lit, when
from pyarrow import json as arrow_json

BATCH_RECORDS = 500_000
# A broker at hand answers at once; without this a lost one would keep the loop waiting for ever.
PATIENCE_SECONDS = 60
MONEY, MONEY_SUM = pl.Decimal(22, 4), pl.Decimal(32, 4)

_PAIRS = pa.list_(pa.struct({"key": pa.string(), "value": pa.string()}))
_FEES = pa.list_(pa.struct({"feeAmount": pa.string(), "feeCurrency": pa.string()}))
_TEXTS = (
    "transactionReference", "originalTransactionReference", "transactionStatus", "type", "subType", "amount",
    "currency", "requestDate", "creationDate", "modificationDate",
)  # fmt: skip
_LISTS = {"metadata": _PAIRS, "debitParty": _PAIRS, "creditParty": _PAIRS, "fees": _FEES}
EVENT = pa.schema({**dict.fromkeys(_TEXTS, pa.string()), **_LISTS})

AMOUNT_PATTERN = r"\A(0|([1-9][0-9]{0,17}))([.][0-9]{0,3}[0-9])?\z"
TYPES = (
    "adjustment", "billpay", "deposit", "disbursement", "inttransfer", "merchantpay", "reversal", "transfer",
    "withdrawal",
)  # fmt: skip
WINDOW = ("window_start", "transaction_type", "currency", "channel")
CONSUMER = {
    "group.id": "polars-loop",
    "enable.auto.commit": False,
    # As much as the broker has, so that the next batch arrives while this one is written.
    "max.partition.fetch.bytes": 16 << 20,
    "queued.min.messages": BATCH_RECORDS,
    "queued.max.messages.kbytes": 256 << 10,
}


def main() -> None:
    """Drain the topic into each folder that standard input names, until it ends."""
    parser = argparse.ArgumentParser(prog="polars_loop.py", description=__doc__)
    parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT")
    parser.add_argument("--topic", required=True, metavar="NAME")
    arguments = parser.parse_args()
    consumer = Consumer({"bootstrap.servers": arguments.bootstrap, **CONSUMER})
    with ThreadPoolExecutor(2) as writers:
        _say("BENCH ready")
        for line in sys.stdin:
            drain(consumer, arguments.topic, Path(line.rstrip("\n")), writers)
            _say("BENCH done")
    consumer.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def drain(consumer: Consumer, topic: str, folder: Path, writers: ThreadPoolExecutor) -> None:
    """Write what the topic holds now into the Delta tables bronze, silver and gold of the folder."""
    windows: pl.DataFrame | None = None
    for records in batches(consumer, topic):
        commit = _commit(records)
        append = partial(write_deltalake, mode="append", commit_properties=commit)
        rows = events(records)
        bronze = writers.submit(append, folder / "bronze", rows.drop("is_fit"))
        fit = transactions(rows)
        silver = writers.submit(append, folder / "silver", fit, partition_by="event_date")
        windows = added_up(fit, windows)
        bronze.result()
        silver.result()
        write_deltalake(folder / "gold", windows, mode="overwrite", commit_properties=commit)


def batches(consumer: Consumer, topic: str) -> Iterator[pl.DataFrame]:
    """The topic's records from its beginning to its end as it is now, in frames of at most `BATCH_RECORDS`.

    Raises `TimeoutError` when the broker falls silent before that.
    """
    names = consumer.list_topics(topic, PATIENCE_SECONDS).topics[topic].partitions
    limits = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), PATIENCE_SECONDS) for p in names}
    consumer.assign([TopicPartition(topic, partition, first) for partition, (first, _) in limits.items()])
    left = sum(end - first for first, end in limits.values())
    is_wanted = pl.any_horizontal((col("partition") == p) & (col("offset") < end) for p, (_, end) in limits.items())
    while left:
        messages = consumer.consume(min(left, BATCH_RECORDS), PATIENCE_SECONDS)
        if not messages:
            raise TimeoutError(f"The broker sent nothing for {PATIENCE_SECONDS} s, {left} records are missing.")
        records = pl.DataFrame(
            {
                "topic": topic,
                "partition": pl.Series([m.partition() for m in messages], dtype=pl.Int32),
                "offset": [m.offset() for m in messages],
                "kafka_timestamp": pl.Series([m.timestamp()[1] for m in messages], dtype=pl.Datetime("ms", "UTC")),
                "key": pl.Series([m.key() for m in messages], dtype=pl.Binary),
                "value": pl.Series([m.value() for m in messages], dtype=pl.Binary),
            }
        ).filter(is_wanted)
        if len(records):
            left -= len(records)
            yield records


def events(records: pl.DataFrame) -> pl.DataFrame:
    """Kafka records as rows of bronze: coordinates, payload as it came, typed columns, and `is_fit` for silver.

    Raises `ValueError` when a record is not one line of JSON of the known shape.
    """
    parsed = arrow_json.read_json(
        pa.BufferReader(b"\n".join(records["value"])),
        arrow_json.ReadOptions(block_size=4 << 20),
        arrow_json.ParseOptions(explicit_schema=EVENT, unexpected_field_behavior="ignore"),
    ).select(EVENT.names)
    if len(parsed) != len(records):
        raise ValueError(f"{len(records)} records are {len(parsed)} lines of JSON, one each is expected.")
    raw = records.select(
        "topic", "partition", "offset", col("kafka_timestamp").cast(pl.Datetime("us", "UTC")),
        col("key").cast(pl.String), col("value").cast(pl.String).alias("payload"), ingested_at=datetime.now(UTC),
    )  # fmt: skip
    both = pl.concat([raw, pl.DataFrame(parsed)], how="horizontal").lazy()
    typed = both.select(*raw.columns, *(expression.alias(name) for name, expression in _typed().items()))
    is_cash_in, is_cash_out = (col("transaction_type") == name for name in ("deposit", "withdrawal"))
    agent_id = when(is_cash_in).then("debit_alias").when(is_cash_out).then("credit_alias")
    return typed.with_columns(agent_id=agent_id, is_fit=_is_fit()).drop("debit_alias", "credit_alias").collect()


def transactions(rows: pl.DataFrame) -> pl.DataFrame:
    """The fit rows of bronze as rows of silver."""
    fit = rows.lazy().filter("is_fit").drop("is_fit", "key", "payload", "ingested_at")
    return fit.with_columns(event_date=col("event_time").dt.date()).collect()


def added_up(silver: pl.DataFrame, before: pl.DataFrame | None) -> pl.DataFrame:
    """The windows of before with these rows of silver: one row per minute of event time, type, currency and channel."""
    is_completed = col("status") == "completed"
    rows = silver.select(
        col("event_time").dt.truncate("1m").alias("window_start"),
        *WINDOW[1:],
        event_count=lit(1, pl.Int64),
        transaction_count=is_completed.cast(pl.Int64),
        amount=when(is_completed).then("amount").otherwise(0).cast(MONEY_SUM),
    )
    added = rows if before is None else pl.concat([before, rows])
    sums = added.lazy().group_by(WINDOW).agg(col("event_count", "transaction_count", "amount").sum())
    return sums.cast({"amount": MONEY_SUM}).collect()


def _commit(records: pl.DataFrame) -> CommitProperties:
    """Names the last offset of each partition in the commit, as Delta's own idempotent writers do."""
    last = records.group_by("topic", "partition").agg(col("offset").max()).rows()
    return CommitProperties(app_transactions=[Transaction(f"{topic}-{p}", offset) for topic, p, offset in last])


def _typed() -> dict[str, pl.Expr]:
    """Columns of bronze by name, from the fields of the event."""
    times = ("modificationDate", "creationDate", "requestDate")
    return {
        "transaction_reference": col("transactionReference"),
        "original_transaction_reference": col("originalTransactionReference"),
        "status": col("transactionStatus").str.to_lowercase(),
        "transaction_type": col("type"),
        "sub_type": col("subType"),
        "amount": when(col("amount").str.contains(AMOUNT_PATTERN)).then("amount").cast(MONEY, strict=False),
        "currency": col("currency"),
        "fee_amount": _fee_amount(),
        "channel": _channel(),
        "event_time": pl.coalesce(times).str.to_datetime(time_unit="us", time_zone="UTC", strict=False),
        "event_time_source": pl.coalesce(when(col(time).is_not_null()).then(lit(time)) for time in times),
        **_party("debit"),
        **_party("credit"),
    }


def _fee_amount() -> pl.Expr:
    """Sum of the fees; 0 when none is stated, null when one is in another currency."""
    fees, fee = col("fees"), pl.element().struct
    currencies = fees.list.eval(fee.field("feeCurrency")).list
    is_own = (currencies.n_unique() == 1) & (currencies.first() == col("currency"))
    amounts = fees.list.eval(fee.field("feeAmount").cast(MONEY)).list.sum()
    return when(fees.list.len().fill_null(0) == 0).then(0).when(is_own).then(amounts).cast(MONEY)


def _channel() -> pl.Expr:
    pair = pl.element().struct
    found = col("metadata").list.eval(pl.element().filter(pair.field("key") == "channel").struct.field("value"))
    return found.list.first().str.to_lowercase().fill_null("unknown")


def _party(side: str) -> dict[str, pl.Expr]:
    """`key:value` of the party's first identifier; its phone number as digits, or its alias when it is not a phone."""
    first = col(f"{side}Party").list.first().struct
    key, value = first.field("key"), first.field("value")
    is_phone = key == "msisdn"
    digits = value.str.replace_all(" ", "", literal=True).str.strip_prefix("+")
    return {
        f"{side}_party": pl.concat_str(key, lit(":"), when(is_phone).then(digits).otherwise(value)),
        f"{side}_msisdn": when(is_phone).then(digits),
        f"{side}_alias": when(~is_phone).then(value),
    }


def _is_fit() -> pl.Expr:
    """True for a row that breaks none of the rules; which one it breaks, nobody asks."""
    texts = ("transaction_reference", "status", "debit_party", "credit_party")
    rules = (
        *(col(name).str.len_chars().is_between(1, 256) for name in texts),
        col("transaction_type").is_in(TYPES),
        col("amount") > 0,
        col("currency").str.contains(r"\A[A-Z]{3}\z"),
        col("fee_amount").is_not_null(),
        *(col(f"{side}_msisdn").str.contains(r"\A[0-9]{6,15}\z").fill_null(True) for side in ("debit", "credit")),
        col("debit_party") != col("credit_party"),
        col("event_time") <= col("kafka_timestamp") + pl.duration(minutes=5),
        (col("transaction_type") != "reversal") | (col("original_transaction_reference").str.len_chars() > 0),
    )
    return pl.all_horizontal(rules).fill_null(False)


if __name__ == "__main__":
    main()
