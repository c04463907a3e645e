"""`momo bench freshness`: how old a record is when a reader can first see it, at a steady rate.

The producer keeps a schedule fixed beforehand, and a record's age counts from when it was due, so that whatever holds
the producer up is charged to the system. A reader of its own looks at the tables' logs every 50 ms.

bronze, silver: the age of every row when the version that added it was first seen. gold: a silver row counts as seen in
the first gold version whose windows sum up to as many events as silver had with the row's version; that is the truth
where gold takes silver's versions whole and in order, and otherwise later than it for some rows and sooner for others
of neighbouring versions. alerts: a silver row counts as seen when the alerts of its version are in their table and
sent. A stretch at the same rate before the measured one warms the stream up and does not count.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from infra.bench.bench_broker import bench_broker
from infra.bench.bench_topic import with_topic
from infra.bench.freshness_report import Freshness, freshness_report
from infra.bench.lag import LagSamples
from infra.bench.processes import tree_cpu_seconds
from infra.bench.producing import produce, write_templates
from infra.bench.report import Report
from infra.bench.versions import Watch, Watched, WatchedNote, totals_by_version
from infra.bench.warm_process import ContestantFailed
from infra.topics import create_topic
from jobs.command_line import settings_from
from jobs.errors import SettingsError, TryAgain
from jobs.settings import ROOT, Settings
from schemas.tables import BRONZE, PER_MINUTE, SILVER

WARM_UP_SECONDS = 60.0
LONGEST_START_SECONDS = 300
LONGEST_END_SECONDS = 180
# `{"transactionReference":"` stands before the reference in a raw record.
_IN_RAW_RECORD = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `freshness` takes besides what all benchmarks take."""
    parser.add_argument("--rate", type=float, required=True, help="records a second")
    parser.add_argument("--minutes", type=float, default=15.0, help="of the measured stretch (default: 15)")
    parser.add_argument("--contestant", choices=("momostream", "tutorial"), default="momostream")


def run_freshness(arguments: argparse.Namespace) -> Report:
    """Run the stream and the producer beside it; raises `SettingsError` for a rate or time that is not positive."""
    for name in ("rate", "minutes"):
        if getattr(arguments, name) <= 0:
            raise SettingsError(f"--{name} is {getattr(arguments, name)}: give more than 0.")
    folder = arguments.folder.absolute()
    with bench_broker(settings_from(arguments), folder, arguments.kafka__bootstrap is not None) as (settings, _):
        run_folder = folder / "freshness" / uuid.uuid4().hex[:12]
        run_folder.mkdir(parents=True)
        settings = with_topic(settings, f"freshness.{run_folder.name}", retention_days=1)
        create_topic(settings)
        write_templates(run_folder)
        freshness = _measure(arguments.contestant, settings, run_folder, arguments.rate, arguments.minutes * 60)
        report = freshness_report(arguments.contestant, arguments.rate, arguments.minutes, freshness)
        shutil.rmtree(run_folder)
    return report


def _measure(contestant: str, settings: Settings, folder: Path, rate: float, seconds: float) -> Freshness:
    tables = _tables(contestant, folder)
    alerts = WatchedNote(folder / "_checkpoints" / "alerts" / "offsets" / "0")
    watch = Watch([*tables.values(), alerts])
    try:
        with _stream(contestant, settings, folder) as stream:
            _say("warming up")
            warm_up = produce(settings, folder, rate, min(WARM_UP_SECONDS, seconds / 2))
            if not _gold_reaches(tables["gold"], warm_up.sent, stream, LONGEST_START_SECONDS):
                raise TryAgain(f"The stream is not warm after {LONGEST_START_SECONDS} s: give a lower --rate.")
            _say(f"measuring for {seconds:.0f} s at {rate:,.0f} records/s")
            samples = LagSamples(settings)
            cpu, began = tree_cpu_seconds(stream.pid), time.monotonic()
            production = produce(settings, folder, rate, seconds)
            cores = (tree_cpu_seconds(stream.pid) - cpu) / (time.monotonic() - began)
            samples.stop()
            # What is not seen by then is reported as such.
            _gold_reaches(tables["gold"], warm_up.sent + production.sent, stream, LONGEST_END_SECONDS)
    finally:
        watch.stop()
    return Freshness(tables, alerts, production, samples, cores)


def _tables(contestant: str, folder: Path) -> dict[str, Watched]:
    if contestant == "momostream":
        return {
            "bronze": Watched(folder / BRONZE.name, "transaction_reference"),
            "silver": Watched(folder / SILVER.name, "transaction_reference"),
            "gold": Watched(folder / PER_MINUTE.name, "event_count"),
        }
    return {
        "bronze": Watched(folder / "bronze", "value", _IN_RAW_RECORD),
        "silver": Watched(folder / "silver", "transaction_reference"),
        "gold": Watched(folder / "gold", "event_count"),
    }


def _command(contestant: str, settings: Settings, folder: Path) -> list[str]:
    """The stream as it runs in production: every table, at the trigger of the settings."""
    kafka = ["--bootstrap", settings.kafka.bootstrap, "--topic", settings.kafka.topic]
    if contestant == "momostream":
        submit = str(Path(sys.prefix) / "bin" / "spark-submit")
        return [submit, str(ROOT / "jobs" / "stream_transactions.py"), *kafka, "--lake", str(folder)]
    return [sys.executable, "-m", "infra.bench.contestants.tutorial", *kafka, "--stream", str(folder)]


@contextmanager
def _stream(contestant: str, settings: Settings, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The stream's process, ended with the block."""
    environment = {name: value for name, value in os.environ.items() if name != "SPARK_HOME"}
    with (folder / "stream.log").open("wb") as log:
        stream = subprocess.Popen(
            _command(contestant, settings, folder), cwd=ROOT, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield stream
    finally:
        stream.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            stream.wait(timeout=30)
        with suppress(ProcessLookupError):
            os.killpg(stream.pid, signal.SIGKILL)
        stream.wait()


def _gold_reaches(gold: Watched, events: int, stream: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait until gold has counted so many events; false when it has not in that time.

    Raises `ContestantFailed` when the stream ends.
    """
    deadline = time.monotonic() + seconds
    while (totals := totals_by_version(gold)).max(initial=0) < events:
        if stream.poll() is not None:
            raise ContestantFailed(f"The stream ended: read {gold.path.parent / 'stream.log'}.")
        if time.monotonic() > deadline:
            _say(f"gold has counted {totals.max(initial=0):,} of {events:,} events after {seconds:.0f} s")
            return False
        time.sleep(1)
    return True


def _say(what: str) -> None:
    sys.stderr.write(f"bench: {what}\n")
