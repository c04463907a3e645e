"""The stream as a cluster runs it: conf/cluster.conf, a real broker, executors that are processes of their own."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.topics import end_offsets
from jobs.lake import Lake
from jobs.reconciliation import reconcile
from jobs.settings import ROOT, Settings
from schemas.tables import BRONZE
from tests.builders import RING
from tests.conftest import QUICK_START
from tests.system.test_stream_on_kafka import ENVIRONMENT, send, started, submit, transfers

pytestmark = [pytest.mark.cluster, pytest.mark.kafka, pytest.mark.timeout(600)]


def on_executors(topic: Settings, folder: Path) -> list[str]:
    """The command that carries what the topic has through the tables, with two executors of a core each."""
    (folder / "events").mkdir()
    spark_submit, *stream = submit(topic, folder / "lake", "--available-now")
    here = {
        # Two small workers in place of three large ones, and no folder of the project on them.
        "spark.cores.max": 2,
        "spark.executor.cores": 1,
        "spark.executor.memory": "1g",
        "spark.sql.shuffle.partitions": 2,
        "spark.executor.extraClassPath": "/nowhere",
        "spark.eventLog.dir": folder / "events",
        "spark.driver.extraJavaOptions": QUICK_START,
        "spark.executor.extraJavaOptions": QUICK_START,
    }
    flags = ["--properties-file", "conf/cluster.conf", "--load-spark-defaults", "--master", "local-cluster[2,1,2048]"]
    flags += [flag for name, value in here.items() for flag in ("--conf", f"{name}={value}")]
    return [spark_submit, *flags, *stream]


def executors_of(stream: int) -> Iterator[int]:
    """The executors that a stream has now; it is the first of its session."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"ExecutorBackend" in (process / "cmdline").read_bytes() and os.getsid(int(process.name)) == stream:
                yield int(process.name)
        except OSError:
            # It has ended since it was listed.
            continue


def test_executors_that_have_none_of_our_jars_get_them_and_read_the_topic(topic, tmp_path):
    send(topic, [*transfers(0, 500), *transfers(0, 20), b"{"])

    command = on_executors(topic, tmp_path)
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=400)

    assert run.returncode == 0, run.stdout + run.stderr
    result = reconcile(Lake(tmp_path / "lake"), topic.kafka.topic, end_offsets(topic), RING)
    assert (result.bronze, result.silver, result.quarantine, result.repeats) == (521, 500, 1, 20)
    assert result.is_clean
    assert list((tmp_path / "events").iterdir())


def test_an_executor_that_is_killed_costs_no_row_and_doubles_none(topic, tmp_path):
    send(topic, [*transfers(0, 2000), *transfers(0, 20), b"{"])
    first_batch = tmp_path / "lake" / BRONZE.name / "_delta_log" / f"{1:020d}.json"
    log = tmp_path / "log"

    with log.open("w") as channel:
        stream = started(on_executors(topic, tmp_path), channel, MOMO__KAFKA__MAX_OFFSETS_PER_TRIGGER="200")
        try:
            while not first_batch.exists():
                assert stream.poll() is None, log.read_text()
                time.sleep(0.05)
            killed, *_ = executors_of(stream.pid)
            os.kill(killed, signal.SIGKILL)
            assert stream.wait(timeout=400) == 0, log.read_text()
        finally:
            # Its Java and its executors too.
            if stream.poll() is None:
                os.killpg(stream.pid, signal.SIGKILL)

    assert "Lost executor" in log.read_text()
    result = reconcile(Lake(tmp_path / "lake"), topic.kafka.topic, end_offsets(topic), RING)
    assert (result.bronze, result.silver, result.quarantine, result.repeats) == (2021, 2000, 1, 20)
    assert result.is_clean
