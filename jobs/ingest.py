"""Write a batch of parsed records: to bronze, and from bronze's own files to quarantine or silver.

One query for three tables, for a query has a price whatever it carries. Bronze is read back, rather than the batch
cached: reading typed columns costs less than parsing them, and caching about as much.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import enrichment, silver
from jobs.lake import Lake, read_columns
from jobs.remembered import Remembered, keys_of
from schemas.tables import BRONZE, QUARANTINE, SILVER

# Of silver at a start: so many that they are read side by side, so few that their texts need little memory.
FILES_AT_ONCE = 500
_PLACE = ("topic", "partition", "offset")
_LOOKED_AT = (*_PLACE, *SILVER.key, "broken_rules", "event_time")


class IngestWriter:
    """Writes bronze, quarantine and silver, batch by batch, each record once.

    A batch can be repeated only by a restart. Bronze takes it from the offsets it has reached, quarantine leaves out
    what it has; silver remembers the keys it holds, so that whatever is carried again is a repeat. Others may add rows
    to silver and take some away, and its lock is held from the look-up to the append: what they did is learnt first.
    """

    def __init__(self, spark: SparkSession, lake: Lake, dedup_keys: int, silver_columns: enrichment.Steps) -> None:
        """Remember silver's newest keys, and finish the batch that a kill may have left half carried.

        `silver_columns` are what silver makes of a bronze row beyond its own columns.
        """
        self._spark, self._lake, self._silver_columns = spark, lake, silver_columns
        self._dedup_keys = dedup_keys
        self._silver_version = lake.newest_version(SILVER)
        self._newest_event_time: datetime | None = lake.value(f"SELECT max(event_time) FROM {SILVER.name}")
        self._ingested_at: datetime | None = lake.value(f"SELECT max(ingested_at) FROM {SILVER.name}")
        self._remembered = _newest_keys(lake, dedup_keys)
        self._is_first_batch = True
        _, files = lake.newest_append(BRONZE)
        self._carry(files, again=True)

    def write(self, parsed: DataFrame, batch_id: int) -> None:
        """One commit to bronze, and one to silver and to quarantine each where there is a row for it."""
        self._ingested_at = later(datetime.now(UTC), self._ingested_at)
        rows = _with_constant(parsed, "ingested_at", self._ingested_at).select(BRONZE.column_names)
        append = self._lake.append_onward if self._is_first_batch else self._lake.append
        self._is_first_batch = False
        self._carry(append(rows, BRONZE))

    def _carry(self, files: Sequence[str], again: bool = False) -> None:
        """Rows of these files of bronze to quarantine or silver; what has been carried before stays as it is."""
        if not files:
            return
        events = self._lake.read_files(self._spark, BRONZE, files)
        arrived = _in_kafka_order(files)
        is_accepted = pc.equal(pc.list_value_length(arrived["broken_rules"]), 0)
        accepted, broken = arrived.filter(is_accepted), arrived.filter(pc.invert(is_accepted))
        if len(broken):
            refused = silver.quarantined(events)
            self._lake.append(self._not_in_quarantine(refused, broken) if again else refused, QUARANTINE)
        if len(accepted):
            with self._lake.writing(SILVER):
                self._append_silver(events, accepted)

    def _not_in_quarantine(self, refused: DataFrame, broken: pa.Table) -> DataFrame:
        since = pc.min(broken["offset"]).as_py()
        there = self._lake.query(
            f'SELECT topic, "partition", "offset" FROM {QUARANTINE.name} WHERE "offset" >= {since}'
        )
        return silver.without(refused, self._spark.createDataFrame(there)) if there.num_rows else refused

    def _append_silver(self, events: DataFrame, accepted: pa.Table) -> None:
        """The accepted rows that repeat nothing, with the newest event time of the batches before."""
        self._learn()
        is_repeat = self._remembered.repeats(keys_of(*(accepted[name] for name in SILVER.key)))
        if not is_repeat.all():
            transactions = silver.transactions(events)
            if is_repeat.any():
                repeats = self._spark.createDataFrame(accepted.select(_PLACE).filter(pa.array(is_repeat)))
                transactions = silver.without(transactions, repeats)
            enriched = enrichment.with_steps(transactions, self._silver_columns)
            rows = _with_constant(enriched, "stream_time", self._newest_event_time).select(SILVER.column_names)
            self._lake.append_held(rows, SILVER)
            self._note_time(accepted["event_time"].filter(pa.array(~is_repeat)))
        self._silver_version = self._lake.newest_version(SILVER)

    def _learn(self) -> None:
        """What others have added to silver is a repeat from now on, and its times are silver's; what is gone is new."""
        if self._lake.has_lost_rows(SILVER, after=self._silver_version):
            self._remembered = _newest_keys(self._lake, self._dedup_keys)
        files = self._lake.appended(SILVER, after=self._silver_version)
        if files:
            rows = read_columns(files, (*SILVER.key, "event_time"))
            self._remembered.repeats(keys_of(*(rows[name] for name in SILVER.key)))
            self._note_time(rows["event_time"])

    def _note_time(self, event_times: pa.ChunkedArray) -> None:
        newest = pc.max(event_times).as_py()
        self._newest_event_time = max(newest, self._newest_event_time or newest)


def later(now: datetime, last: datetime | None) -> datetime:
    """The time of a batch: the clock's, but never behind the last batch's, for a clock can be set back."""
    return max(now, last + timedelta(microseconds=1)) if last else now


def carried_again(lake: Lake) -> dict[tuple[str, int], int]:
    """The first offset, by topic and partition, of the records that the next start carries once more from bronze.

    Who changes what has become of a record leaves these alone: the start would do what the stream did before.
    """
    _, files = lake.newest_append(BRONZE)
    if not files:
        return {}
    first = read_columns(files, _PLACE).group_by(["topic", "partition"]).aggregate([("offset", "min")])
    return {(row["topic"], row["partition"]): row["offset_min"] for row in first.to_pylist()}


def _newest_keys(lake: Lake, most: int) -> Remembered:
    remembered, files = Remembered(most), lake.newest_files(SILVER, most)
    for first in range(0, len(files), FILES_AT_ONCE):
        rows = read_columns(files[first : first + FILES_AT_ONCE], SILVER.key)
        remembered.repeats(keys_of(*(rows[name] for name in SILVER.key)))
    return remembered


def _in_kafka_order(files: Sequence[str]) -> pa.Table:
    return read_columns(files, _LOOKED_AT).sort_by([(name, "ascending") for name in _PLACE])


def _with_constant(rows: DataFrame, name: str, value: datetime | None) -> DataFrame:
    """A column with one value in the whole batch.

    As the first element of a list, by an index that looks like data: a plain literal that changes from batch to batch
    stands in the generated code and makes Spark compile it anew each time, a list is only referred to.
    """
    one = F.array(F.lit(value).cast("timestamp"))
    return rows.withColumn(name, F.get(one, F.col("partition") % 1))
