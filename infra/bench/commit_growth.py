"""The program behind the commits of `momo bench growth`: what a batch of the pipeline costs at a commit's number.

The queries run as in production, both at once at the trigger of the settings, fed at a steady rate by the
open-loop producer. Between the marks they are stopped, the tables are brought forward and maintained as
`momo maintain` does it, and they are started anew.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from infra.bench.contestants.protocol import serve
from infra.bench.fast_forward import FORWARDED, fast_forward
from infra.bench.processes import tree_cpu_seconds
from infra.bench.producing import produce, write_templates
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.lake import Lake
from jobs.maintenance import maintain, maintaining
from jobs.pipeline import Pipeline
from jobs.session import build_session
from jobs.settings import Settings, duration_seconds
from jobs.sources import stream_topic

RESULT = "commits.json"
BATCH_RECORDS = 3_000
# A JVM gets faster for minutes, which would hide what grows; then a start of the queries needs a few batches.
FIRST_BATCHES, WARM_UP_BATCHES = 40, 5
# So many that every query is past the commits between two marks: maintenance keeps what one has still to read.
PASSING_BATCHES = 2


class Marks:
    """Stretches of the stream in one session and one lake, each at a later commit."""

    def __init__(
        self, spark: SparkSession, settings: Settings, folder: Path, batches: int, is_maintained: bool
    ) -> None:
        """`batches` are measured at each mark, after maintenance where the lake is maintained."""
        self._spark, self._settings, self._folder, self._batches = spark, settings, folder, batches
        self._is_maintained = is_maintained
        self._lake = Lake(folder / "lake")
        self._seconds_a_batch = duration_seconds(settings.stream.trigger)

    def measure(self, commits: Sequence[int]) -> list[dict[str, Any]]:
        """What batches cost at each of these commits, in rising order."""
        write_templates(self._folder)
        costs = []
        with self._lake.locked("momo bench"):
            self._lake.create()
            self._stretch(FIRST_BATCHES, batches=0)
            for commit in commits:
                fast_forward(self._lake, commit, self._seconds_a_batch)
                self._stretch(PASSING_BATCHES, batches=0)
                self._maintain()
                costs.append(
                    {"commit": commit, **self._stretch(WARM_UP_BATCHES, self._batches), **log_size(self._lake)}
                )
                sys.stderr.write(f"bench: {json.dumps(costs[-1])}\n")
        return costs

    def _maintain(self) -> None:
        if self._is_maintained:
            with maintaining(self._lake):
                for table in FORWARDED:
                    maintain(self._lake, table, self._settings.maintain)

    def _stretch(self, warm_up: int, batches: int) -> dict[str, Any]:
        """Start the queries, let them have the batches to warm up, measure the others, stop them."""
        topic = stream_topic(self._spark, self._settings.kafka)
        queries = Pipeline(self._spark, self._lake, self._settings, topic).start()
        self._feed(queries, warm_up)
        seen = {query.name: query.lastProgress.batchId if query.lastProgress else -1 for query in queries}
        cpu = _cpu_seconds()
        if batches:
            self._feed(queries, batches)
        cpu = _cpu_seconds() - cpu
        progress = {str(q.name): [p for p in q.recentProgress if p.batchId > seen[q.name]] for q in queries}
        for query in queries:
            query.stop()
        return batch_costs(progress, cpu) if batches else {}

    def _feed(self, queries: Sequence[StreamingQuery], batches: int) -> None:
        """Records for so many batches at a steady rate, and wait until all have passed through all tables."""
        rate = BATCH_RECORDS / self._seconds_a_batch
        produce(self._settings, self._folder, rate, float(batches * self._seconds_a_batch))
        for query in queries:
            query.processAllAvailable()


def batch_costs(progress: Mapping[str, Sequence[Any]], cpu: float) -> dict[str, Any]:
    """Median wall seconds of each query's batches, and their sum; CPU seconds of both queries for a batch of `ingest`.

    `progress` are the queries' own reports; those of batches without rows do not count.
    """
    queries = {}
    for name, reports in progress.items():
        of_rows = [report for report in reports if report.numInputRows]
        queries[name] = {
            "batch_p50_s": round(statistics.median(report.batchDuration for report in of_rows) / 1000, 3),
            "rows_p50": statistics.median(report.numInputRows for report in of_rows),
            "batches": len(of_rows),
        }
    return {
        "batch_p50_s": round(sum(query["batch_p50_s"] for query in queries.values()), 3),
        "cpu_s_per_batch": round(cpu / queries["ingest"]["batches"], 3),
        "queries": queries,
    }


def log_size(lake: Lake) -> dict[str, Any]:
    """Bytes and files of the tables' logs: in all, and of each table."""
    tables = {}
    for table in FORWARDED:
        files = [file for file in Path(lake.table_path(table), "_delta_log").rglob("*") if file.is_file()]
        tables[table.name] = {"log_bytes": sum(file.stat().st_size for file in files), "log_files": len(files)}
    return {**{what: sum(t[what] for t in tables.values()) for what in ("log_bytes", "log_files")}, "tables": tables}


def _cpu_seconds() -> float:
    """Of this process and its JVM; not of the producer, a child that has ended."""
    ended = os.times()
    return tree_cpu_seconds(os.getpid()) - ended.children_user - ended.children_system


def main(argv: Sequence[str] | None = None) -> int:
    """Measure in the folder that the input names; the figures are left there."""
    parser = argparse.ArgumentParser(prog="commit_growth.py", description=__doc__)
    parser.add_argument("--commits", required=True, metavar="N,…")
    parser.add_argument("--batches", type=int, required=True)
    parser.add_argument("--unmaintained", action="store_true")
    add_settings_arguments(parser, "kafka")
    arguments = parser.parse_args(argv)
    settings, commits = settings_from(arguments), [int(number) for number in arguments.commits.split(",")]
    spark = build_session("momo bench: growth")

    def measure(folder: Path) -> None:
        costs = Marks(spark, settings, folder, arguments.batches, not arguments.unmaintained).measure(commits)
        (folder / RESULT).write_text(json.dumps(costs))

    serve(measure)
    spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
