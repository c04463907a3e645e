"""`momo bench growth`: does a batch cost the same after 5,000 commits, and with a million keys remembered?

commits: batches of 3,000 records of the real pipeline, its queries running as in production, at three commits of the
tables: the median over 28 batches of each query. As 5,000 batches take hours, the tables are brought from one commit to
the next within a minute: commits of the same shape as the pipeline's own, with files and checkpoints, of one row each
(infra/bench/fast_forward.py). So this is the growth of logs and files alone; a gold table's day does not grow with it.
Before each mark the tables are maintained as `momo maintain` does it, unless `--unmaintained`.

state: the cost of a batch of 3,000 and of 12,000 new keys when so many are remembered: by the pipeline, which reads,
hashes and looks up the keys of a file, and by Spark's own operator, dropDuplicatesWithinWatermark with RocksDB, in a
streaming query over the same files. `us_per_row` is CPU time for 3,000.

At the default it takes some ten minutes. `--commits 100,200 --keys 10000 --batches 5` looks whether it runs.
"""

import argparse
import json
import shutil
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.bench import commit_growth, state_growth
from infra.bench.bench_broker import bench_broker
from infra.bench.bench_topic import with_topic
from infra.bench.growth_report import growth_report
from infra.bench.report import Report
from infra.bench.warm_process import WarmProcess
from infra.topics import create_topic
from jobs.command_line import settings_from
from jobs.errors import SettingsError
from jobs.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `growth` takes besides what all benchmarks take."""
    parser.add_argument("--commits", default="100,1000,5000", metavar="N,…", help="marks (default: 100,1000,5000)")
    parser.add_argument("--batches", type=int, default=28, help="measured at each mark (default: 28)")
    parser.add_argument(
        "--keys", default="10000,100000,1000000", metavar="N,…", help="remembered (default: 10000,100000,1000000)"
    )
    parser.add_argument("--unmaintained", action="store_true", help="without the maintenance before each mark")
    parser.add_argument("--only", choices=("commits", "state"), help="one of the two (default: both)")


def run_growth(arguments: argparse.Namespace) -> Report:
    """Measure both, one after the other; raises `SettingsError` for marks or keys that do not rise."""
    marks = {name: rising(f"--{name}", getattr(arguments, name)) for name in ("commits", "keys")}
    if arguments.batches < 1:
        raise SettingsError(f"--batches is {arguments.batches}: give 1 or more.")
    folder = arguments.folder.absolute()
    commits: list[dict[str, Any]] = []
    state: dict[str, list[dict[str, Any]]] = {}
    with bench_broker(settings_from(arguments), folder, arguments.kafka__bootstrap is not None) as (settings, _):
        if arguments.only != "state":
            commits = _commits(settings, folder, marks["commits"], arguments)
        if arguments.only != "commits":
            command = _program("state_growth", "--keys", marks["keys"])
            state = _measure("state", command, folder, state_growth.RESULT)
    return growth_report(commits, state)


def rising(name: str, text: str) -> list[int]:
    """The numbers of a comma-separated list; raises `SettingsError` when they are not whole, positive and rising."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1 or numbers != sorted(set(numbers)):
        raise SettingsError(f"{name} is '{text}': give whole numbers from 1 on, each larger than the one before.")
    return numbers


def _commits(
    settings: Settings, folder: Path, marks: Sequence[int], arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    settings = with_topic(settings, f"growth.{uuid.uuid4().hex[:12]}", retention_days=1)
    create_topic(settings)
    command = _program("commit_growth", "--commits", marks)
    command += ["--batches", str(arguments.batches), *(["--unmaintained"] if arguments.unmaintained else [])]
    command += ["--bootstrap", settings.kafka.bootstrap, "--topic", settings.kafka.topic]
    return list(_measure("growth", command, folder, commit_growth.RESULT))


def _program(module: str, name: str, numbers: Sequence[int]) -> list[str]:
    return [sys.executable, "-m", f"infra.bench.{module}", name, ",".join(map(str, numbers))]


def _measure(name: str, command: list[str], folder: Path, result: str) -> Any:
    """What the program leaves in a folder that is made for it and deleted."""
    run_folder = folder / "rounds" / name
    shutil.rmtree(run_folder, ignore_errors=True)
    run_folder.mkdir(parents=True)
    process = WarmProcess(name, command, folder / f"{name}.log")
    try:
        process.wait_until_ready()
        process.drain(run_folder, broker_pid=None)
        return json.loads((run_folder / result).read_text())
    finally:
        process.close()
        shutil.rmtree(run_folder, ignore_errors=True)
