"""Gold: windows over event time. One function per table says what it counts; one aggregation computes them all.

A stateful query costs the same fixed time whatever it counts, so every silver row is turned into one
contribution per gold table, and all contributions go through a single aggregation, whose generic
slots (`count_0`, `sum_0`, …) are named per table when it is read out.

Late events: the state of an hour is kept until the stream's time has passed it by the allowed lateness. A row
that comes after that would be dropped by Spark without a word. Silver's `stream_time` tells beforehand: such a
row is counted under the stream's time, as a mere note of its window, and that window is recomputed from silver.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.tables import AGENT_5M, CORRIDOR_HOURLY, MONEY, MONEY_SUM, PER_MINUTE, Table


@dataclass(frozen=True)
class Windowed:
    """What a gold table counts: which silver rows, in windows of which length, by which measures.

    The names of `counts`, `sums`, `largest` and `distinct` are columns of the table; a row whose value is null
    does not count. A length must divide an hour.
    """

    table: Table
    minutes: int
    rows: Column
    keys: tuple[str, ...]
    counts: Mapping[str, Column] = field(default_factory=dict)
    sums: Mapping[str, Column] = field(default_factory=dict)
    largest: Mapping[str, Column] = field(default_factory=dict)
    distinct: Mapping[str, Column] = field(default_factory=dict)

    @property
    def measures(self) -> dict[str, str]:
        """Column of the table → slot of the aggregation."""
        kinds = (("count", self.counts), ("sum", self.sums), ("largest", self.largest), ("distinct", self.distinct))
        return {name: f"{kind}_{i}" for kind, columns in kinds for i, name in enumerate(columns)}


def gold_transactions_per_minute() -> Windowed:
    """Every silver row counts in one minute of its type, currency and channel; money counts when completed."""
    completed, failed = _with_status("completed"), _with_status("failed")
    return Windowed(
        table=PER_MINUTE,
        minutes=1,
        rows=F.lit(True),
        keys=("transaction_type", "currency", "channel"),
        counts={"event_count": F.lit(1), "transaction_count": completed, "failed_count": failed},
        sums={
            "amount": F.when(completed, F.col("amount")),
            "failed_amount": F.when(failed, F.col("amount")),
            "fee_amount": F.when(completed, F.col("fee_amount")),
        },
        largest={"largest_amount": F.when(completed, F.col("amount"))},
        distinct={"distinct_payers": F.when(completed, F.col("debit_party"))},
    )


def gold_agent_activity_5m() -> Windowed:
    """Completed cash-in and cash-out of each agent. Cash-in costs the agent e-money, cash-out brings it back."""
    cash_in = F.col("transaction_type") == "deposit"
    cash_out = F.col("transaction_type") == "withdrawal"
    amount = F.col("amount")
    return Windowed(
        table=AGENT_5M,
        minutes=5,
        rows=_with_status("completed") & F.col("agent_id").isNotNull(),
        keys=("agent_id", "currency"),
        counts={"cash_in_count": cash_in, "cash_out_count": cash_out},
        sums={
            "cash_in_amount": F.when(cash_in, amount),
            "cash_out_amount": F.when(cash_out, amount),
            "net_float": F.when(cash_in, -amount).otherwise(amount),
        },
        distinct={"distinct_customers": F.when(cash_in, F.col("credit_party")).otherwise(F.col("debit_party"))},
    )


def gold_corridor_hourly() -> Windowed:
    """Completed money between operators and countries."""
    return Windowed(
        table=CORRIDOR_HOURLY,
        minutes=60,
        rows=_with_status("completed"),
        keys=("debit_country", "debit_operator", "credit_country", "credit_operator", "currency"),
        counts={"transaction_count": F.lit(1)},
        sums={"amount": F.col("amount"), "fee_amount": F.col("fee_amount")},
        largest={"largest_amount": F.col("amount")},
    )


def windowed() -> list[Windowed]:
    """All gold tables; made anew, for a column cannot be made before there is a session."""
    return [gold_transactions_per_minute(), gold_agent_activity_5m(), gold_corridor_hourly()]


def changed_windows(silver: DataFrame, lateness: str) -> DataFrame:
    """As a stream in update mode: the aggregates that a batch changed, and notes of closed windows with late rows.

    One row per (counted_hour, is_late, table_name, window_start, keys), with `newest_time` on the stream's clock.
    Where `is_late`, the row only says that its window is to be recomputed.
    """
    is_late = hour_end(F.col("event_time")) <= F.col("stream_time") - F.expr(f"interval {lateness}")
    timed = silver.withColumn("is_late", F.coalesce(is_late, F.lit(False)))
    counted_at = F.when(F.col("is_late"), F.col("stream_time")).otherwise(F.col("event_time"))
    watermarked = timed.withColumn("counted_at", counted_at).withWatermark("counted_at", lateness)
    specs = windowed()
    contributions = _contributions(watermarked, specs, "counted_at", "is_late").withColumn(
        "keys", F.when(~F.col("is_late"), F.col("keys"))
    )
    counted_hour = F.window("counted_at", "1 hour").alias("counted_hour")
    newest_time = F.max("counted_at").alias("newest_time")
    return contributions.groupBy(counted_hour, "is_late", *_GROUP).agg(*_slots(specs), newest_time)


def whole_windows(silver: DataFrame) -> DataFrame:
    """As a batch: the aggregates of all windows of these silver rows, one row per (table_name, window_start, keys)."""
    specs = windowed()
    return _contributions(silver, specs).groupBy(*_GROUP).agg(*_slots(specs))


def rows_to_begin_with(silver: DataFrame, open_since: datetime, newest_time: datetime) -> DataFrame:
    """The rows that a query without state counts: all of the hours still open, and whatever is written from now on.

    `newest_time` is silver's newest event time now: what is written from now on carries it as `stream_time`, or a
    later one.
    """
    return silver.filter((F.col("event_time") >= open_since) | (F.col("stream_time") >= newest_time))


def hour_end(time: Column) -> Column:
    """The end of the hour that holds `time`: the unit in which windows are closed."""
    return F.date_trunc("hour", time) + F.expr("interval 1 hour")


_GROUP = ("table_name", "window_start", "keys")


def _with_status(status: str) -> Column:
    return F.col("status") == status


def _contributions(silver: DataFrame, specs: list[Windowed], *carried: str) -> DataFrame:
    """Each silver row as one row per gold table it counts in: its window, its keys and the value of each slot."""
    all_slots = _slot_names(specs)
    every = F.array(*(_contribution(spec, all_slots) for spec in specs))
    # Those that do not count become null rows: filtering rows costs a third of filtering the array.
    return silver.select("kafka_timestamp", *carried, F.inline(every)).filter(F.col("table_name").isNotNull())


def _contribution(spec: Windowed, all_slots: list[str]) -> Column:
    # Not F.window, which Spark allows once in a plan, and that once belongs to the watermark.
    seconds = F.unix_seconds("event_time")
    window_start = F.timestamp_seconds(seconds - F.pmod(seconds, F.lit(60 * spec.minutes)))
    slots = {
        **{f"count_{i}": value.cast("boolean").cast("long") for i, value in enumerate(spec.counts.values())},
        **{f"sum_{i}": value.cast(MONEY) for i, value in enumerate(spec.sums.values())},
        **{f"largest_{i}": value.cast(MONEY) for i, value in enumerate(spec.largest.values())},
        **{f"distinct_{i}": _hash(value) for i, value in enumerate(spec.distinct.values())},
    }
    empty = {slot: F.lit(None).cast(_slot_type(slot)) for slot in all_slots}
    return F.when(
        spec.rows,
        F.struct(
            F.lit(spec.table.name).alias("table_name"),
            window_start.alias("window_start"),
            F.array(*spec.keys).alias("keys"),
            *((empty | slots)[slot].alias(slot) for slot in all_slots),
        ),
    )


def _hash(value: Column) -> Column:
    """A null stays null: xxhash64 would give it a hash, and it would count."""
    return F.when(value.isNotNull(), F.xxhash64(value))


def _slot_names(specs: list[Windowed]) -> list[str]:
    return sorted({slot for spec in specs for slot in spec.measures.values()})


def _slot_type(slot: str) -> str:
    return {"count": "long", "distinct": "long"}.get(slot.partition("_")[0], MONEY.simpleString())


def _slots(specs: list[Windowed]) -> list[Column]:
    zero = F.lit(0).cast(MONEY_SUM)
    aggregates: dict[str, Callable[[str], Column]] = {
        "count": lambda slot: F.coalesce(F.sum(slot), F.lit(0)),
        "sum": lambda slot: F.coalesce(F.sum(slot), zero).cast(MONEY_SUM),
        "largest": F.max,
        "distinct": lambda slot: F.size(F.collect_set(slot)).cast("long"),
    }
    named = [aggregates[slot.partition("_")[0]](slot).alias(slot) for slot in _slot_names(specs)]
    return [*named, F.max("kafka_timestamp").alias("newest_arrival")]
