"""`momo bench roofline`: what the stages cost at the least, each alone, and the rate that this sets for all of them.

In the sum, in core-microseconds a row: reading the topic, `from_json` of the event, encoding bronze's columns and
silver's columns as Parquet, and counting silver's rows into one-minute windows. Whatever computes these tables with
this engine does these five once. Everything else is left out, so the line is high and a share of it is understated:
the typing of columns, the rules, the look for repeats, the enrichment, the other gold tables, all commits, and the
broker's own CPU. Beside the sum stand `read_back` (silver's columns for gold from its files: a perfect pipeline would
still hold them), `dedup_state` (the keys through Spark's state) and what a commit takes.

Costs are CPU seconds of the process, not wall time, for a busy machine stretches the second more, and what a job costs
whatever its rows is taken off: give --rows 300000 or more, or noise is all that is left.
"""

import argparse
import json
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from infra.bench.bench_broker import bench_broker
from infra.bench.bench_topic import filled_topic, with_topic
from infra.bench.report import Report, markdown_table
from infra.bench.warm_process import WarmProcess
from jobs.command_line import settings_from
from jobs.errors import DataCheckFailed
from jobs.settings import Settings

IN_SUM = ("read", "parse", "write_bronze", "write_silver", "gold_windows")
PART_TEXTS = {
    "read": "Kafka → nothing",
    "parse": "from_json, without the read",
    "write_bronze": "bronze's columns, cached → Parquet",
    "write_silver": "silver's columns, cached → Parquet",
    "gold_windows": "silver's columns, cached → one-minute windows",
    "read_back": "gold's five columns of silver's Parquet → nothing",
    "dedup_state": "silver's keys through Spark's state, without the read",
}
COMMIT_TEXTS = {"commit_spark_ms": "a row appended by Spark", "commit_delta_rs_ms": "a row appended by delta-rs"}
RESULT = "roofline.json"


class Roofline:
    """The parts, measured in as many rounds as there were; figures are medians over them."""

    def __init__(self, process: WarmProcess) -> None:
        """`process` is the one of `roofline_process`, started."""
        process.wait_until_ready()
        self._process = process
        self._rounds: list[dict[str, float]] = []

    def measure(self, folder: Path, counts: bool) -> None:
        """One round of all parts in an empty folder, which is deleted; a round to warm up does not count."""
        self._process.drain(folder, broker_pid=None)
        parts = json.loads((folder / RESULT).read_text())
        shutil.rmtree(folder)
        if counts:
            self._rounds.append(parts)
        sys.stderr.write(f"bench: roofline {json.dumps(parts)}\n")

    @property
    def rows_per_s(self) -> float:
        """Rows a second on all cores that the session may use, by the parts in the sum."""
        median = self._median()
        return float(round(median["cores"] * 1_000_000 / sum(median[part] for part in IN_SUM)))

    @property
    def figures(self) -> dict[str, Any]:
        """Core-microseconds a row of each part, milliseconds of a commit, and which parts the rate is made of."""
        median = self._median()
        return {
            "roofline_rows_per_s": self.rows_per_s,
            "core_us_per_row": {part: median[part] for part in PART_TEXTS},
            "in_sum": IN_SUM,
            **{name: median[name] for name in COMMIT_TEXTS},
            "cores": median["cores"],
            "rounds": len(self._rounds),
        }

    @property
    def markdown(self) -> str:
        """The parts as a table under the rate."""
        median = self._median()
        rows = [[text, f"{median[part]:.2f}", "yes" if part in IN_SUM else "no"] for part, text in PART_TEXTS.items()]
        commits = "; ".join(f"{text} {median[name]:.0f} ms" for name, text in COMMIT_TEXTS.items())
        return (
            f"Roofline: {self.rows_per_s:,.0f} rows/s on {median['cores']:.0f} cores. Commits: {commits}.\n\n"
            + markdown_table(("part", "core-µs a row", "in the sum"), rows)
        )

    def _median(self) -> dict[str, float]:
        if not self._rounds:
            raise DataCheckFailed("The roofline has no round that counts: give --rounds 1 or more.")
        return {name: round(statistics.median(r[name] for r in self._rounds), 3) for name in self._rounds[0]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `roofline` takes besides what all benchmarks take."""
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count, after one to warm up (default: 3)")
    parser.add_argument("--rows", type=int, default=300_000, help="records in the topic (default: 300000)")
    parser.add_argument("--seed", type=int, default=7, help="of the simulation (default: 7)")


def run_roofline(arguments: argparse.Namespace) -> Report:
    """Measure the parts alone, without contestants."""
    folder = arguments.folder.absolute()
    with bench_broker(settings_from(arguments), folder, arguments.kafka__bootstrap is not None) as (settings, _):
        truth = filled_topic(settings, folder, arguments.rows, arguments.seed)
        process = roofline_process(with_topic(settings, truth.topic), folder)
        try:
            roofline = Roofline(process)
            for number in range(arguments.rounds + 1):
                round_folder = folder / "rounds" / f"roofline-{number}"
                shutil.rmtree(round_folder, ignore_errors=True)
                round_folder.mkdir(parents=True)
                roofline.measure(round_folder, counts=number > 0)
        finally:
            process.close()
    return Report("roofline", roofline.markdown, roofline.figures)


def roofline_process(settings: Settings, folder: Path) -> WarmProcess:
    """The process that measures the parts, one session warm over all rounds."""
    kafka = settings.kafka
    command = [sys.executable, "-m", "infra.bench.stage_costs", "--bootstrap", kafka.bootstrap, "--topic", kafka.topic]
    return WarmProcess("roofline", command, folder / "roofline.log")
