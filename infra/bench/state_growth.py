"""The program behind the state of `momo bench growth`: what a batch of new keys costs when many are remembered.

Each way to remember keys is given the same tables: the first holds the keys that are to be remembered, each further one
is a batch of new keys. Its cost is that of the whole batch, CPU and wall time.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from infra.bench.contestants.protocol import serve
from infra.bench.processes import tree_cpu_seconds
from jobs.command_line import run
from jobs.lake import read_columns
from jobs.remembered import Remembered, keys_of
from jobs.session import build_session
from schemas.tables import SILVER

RESULT = "state.json"
# Two seconds of a country-size operator, and of M-Pesa's peak.
BATCH_ROWS = (3_000, 12_000)
# Of each size.
BATCHES = 9
WARM_UP_KEYS = 10_000
MOST_KEYS = 20_000_000


@dataclass(frozen=True)
class Moment:
    """Seconds of wall time and of this process tree's CPU time, from any beginning."""

    wall: float
    cpu: float

    def since(self, earlier: "Moment") -> "Moment":
        """The seconds between an earlier moment and this one."""
        return Moment(self.wall - earlier.wall, self.cpu - earlier.cpu)


Remember = Callable[[Sequence[pa.Table], Path], list[Moment]]


def new_keys(keys: int) -> Iterator[pa.Table]:
    """First the keys to be remembered, then batches of new ones, their sizes in turn; no key is there twice.

    Columns topic, partition, offset, hash_1, hash_2: a key is the 128 bits of its two hashes.
    """
    random, offset, bounds = np.random.default_rng(7), 0, np.iinfo(np.int64)
    for rows in (keys, *(BATCH_ROWS * (BATCHES + 1))):
        hashes = [random.integers(bounds.min, bounds.max, rows, np.int64) for _ in range(2)]
        yield pa.table(
            {
                "topic": pa.repeat("bench", rows),
                "partition": pa.repeat(pa.scalar(0, pa.int32()), rows),
                "offset": np.arange(offset, offset + rows),
                "hash_1": hashes[0],
                "hash_2": hashes[1],
            }
        )
        offset += rows


def by_memory(tables: Sequence[pa.Table], folder: Path) -> list[Moment]:
    """What each table costs the pipeline: its keys are read from a file, hashed, looked up and remembered.

    Raises `AssertionError` when it finds a repeat, for there is none.
    """
    remembered, costs = Remembered(MOST_KEYS), []
    for number, table in enumerate(tables):
        file = folder / "keys" / f"{number:04d}.parquet"
        _write_file(table, file, number)
        before = Moment(time.perf_counter(), time.process_time())
        rows = read_columns([str(file)], SILVER.key)
        repeats = int(remembered.repeats(keys_of(*(rows[name] for name in SILVER.key))).sum())
        costs.append(Moment(time.perf_counter(), time.process_time()).since(before))
        assert not repeats, f"{repeats:,} of {table.num_rows:,} new keys are said to be repeats"
    return costs


def by_spark(spark: SparkSession, tables: Sequence[pa.Table], folder: Path) -> list[Moment]:
    """What each table costs Spark's own operator, as a batch of one streaming query; that of the last is not known.

    A batch is counted from its rows' turn to that of the next: reading, shuffle, state, its commit, and the planning.
    """
    for number, table in enumerate(tables):
        _write_file(table, folder / "keys" / f"{number:04d}.parquet", number)
    moments: list[Moment] = []

    def to_nothing(rows: DataFrame, _batch_id: int) -> None:
        moments.append(Moment(time.perf_counter(), tree_cpu_seconds(os.getpid())))
        rows.write.format("noop").mode("append").save()

    # The operator keeps the first row it meets, so each batch is sorted, which Spark refuses in a stream otherwise.
    spark.conf.set("spark.sql.streaming.unsupportedOperationCheck", "false")
    schema = "transaction_reference string, status string, partition int, offset bigint, ingested_at timestamp"
    source = spark.readStream.schema(schema).option("maxFilesPerTrigger", 1)
    keys = source.parquet(str(folder / "keys"))
    in_order = keys.repartition("transaction_reference", "status").sortWithinPartitions("partition", "offset")
    timed = in_order.withWatermark("ingested_at", "2 hours")
    once = timed.dropDuplicatesWithinWatermark(["transaction_reference", "status"])
    writer = once.writeStream.option("checkpointLocation", str(folder / "checkpoint")).foreachBatch(to_nothing)
    writer.trigger(availableNow=True).start().awaitTermination()
    return [after.since(before) for before, after in zip(moments, moments[1:], strict=False)]


def _write_file(table: pa.Table, file: Path, second: int) -> None:
    """The keys as silver's query sees them, two seconds of arrival after the file before; Spark reads by file time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pairs = zip(*(table[name].to_numpy().view(np.uint64) for name in ("hash_1", "hash_2")), strict=True)
    arrived = pa.scalar((1_774_627_200 + 2 * second) * 1_000_000, pa.timestamp("us", "UTC"))
    columns = {
        "transaction_reference": [f"{one:016x}{two:016x}" for one, two in pairs],
        "status": pa.repeat("completed", table.num_rows),
        "partition": table["partition"],
        "offset": table["offset"],
        "ingested_at": pa.repeat(arrived, table.num_rows),
    }
    pq.write_table(pa.table(columns), file)
    os.utime(file, (second, second))


def measure(ways: Mapping[str, Remember], keys: Sequence[int], folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The costs of each way at each number of keys, after one run of it that warms up."""
    costs: dict[str, list[dict[str, Any]]] = {}
    for name, remember in ways.items():
        remember(list(new_keys(WARM_UP_KEYS)), folder / name / "warm-up")
        costs[name] = []
        for number in keys:
            tables = list(new_keys(number))
            costs[name].append(cost_of(number, tables, remember(tables, folder / name / str(number))))
            sys.stderr.write(f"bench: {name} {json.dumps(costs[name][-1])}\n")
    return costs


def cost_of(keys: int, tables: Sequence[pa.Table], taken: Sequence[Moment]) -> dict[str, Any]:
    """Microseconds a row of batches of each size, medians; `us_per_row` is the CPU time of the smaller ones.

    `tables` and `taken` begin with the keys that were to be remembered, whose cost does not count; no more does that of
    the first batch of each size, for Spark's state still puts the many keys in order then.
    """
    first, batches = 1 + len(BATCH_ROWS), []
    for rows in BATCH_ROWS:
        of_size = [cost for table, cost in zip(tables[first:], taken[first:], strict=False) if table.num_rows == rows]
        cpu, wall = (statistics.median(getattr(cost, kind) for cost in of_size) for kind in ("cpu", "wall"))
        batches.append({"rows": rows, "cpu_us_per_row": _per_row(cpu, rows), "wall_us_per_row": _per_row(wall, rows)})
    return {"keys": keys, "us_per_row": batches[0]["cpu_us_per_row"], "batches": batches}


def _per_row(seconds: float, rows: int) -> float:
    return round(seconds * 1_000_000 / rows, 3)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure in the folder that the input names; the figures are left there."""
    parser = argparse.ArgumentParser(prog="state_growth.py", description=__doc__)
    parser.add_argument("--keys", required=True, metavar="N,…")
    keys = [int(number) for number in parser.parse_args(argv).keys.split(",")]
    spark = build_session("momo bench: state")
    ways: dict[str, Remember] = {
        "momostream": by_memory,
        "spark": lambda tables, folder: by_spark(spark, tables, folder),
    }

    def measure_in(folder: Path) -> None:
        (folder / RESULT).write_text(json.dumps(measure(ways, keys, folder)))

    serve(measure_in)
    spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
