"""The stream as a cluster runs it: conf/cluster.conf, a real broker, executors that are processes of their own."""

import subprocess

import pytest

from infra.topics import end_offsets
from jobs.lake import Lake
from jobs.reconciliation import reconcile
from jobs.settings import ROOT
from tests.builders import RING
from tests.conftest import QUICK_START
from tests.system.test_stream_on_kafka import ENVIRONMENT, send, submit, transfers

pytestmark = [pytest.mark.cluster, pytest.mark.kafka, pytest.mark.timeout(600)]


def test_executors_that_have_none_of_our_jars_get_them_and_read_the_topic(topic, tmp_path):
    send(topic, [*transfers(0, 500), *transfers(0, 20), b"{"])
    (tmp_path / "events").mkdir()
    spark_submit, *stream = submit(topic, tmp_path / "lake", "--available-now")
    here = {
        # Two small workers in place of three large ones, and no folder of the project on them.
        "spark.cores.max": 2,
        "spark.executor.cores": 1,
        "spark.executor.memory": "1g",
        "spark.sql.shuffle.partitions": 2,
        "spark.executor.extraClassPath": "/nowhere",
        "spark.eventLog.dir": tmp_path / "events",
        "spark.driver.extraJavaOptions": QUICK_START,
        "spark.executor.extraJavaOptions": QUICK_START,
    }
    flags = ["--properties-file", "conf/cluster.conf", "--load-spark-defaults", "--master", "local-cluster[2,1,2048]"]
    flags += [flag for name, value in here.items() for flag in ("--conf", f"{name}={value}")]

    run = subprocess.run(
        [spark_submit, *flags, *stream], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=400
    )

    assert run.returncode == 0, run.stdout + run.stderr
    result = reconcile(Lake(tmp_path / "lake"), topic.kafka.topic, end_offsets(topic), RING)
    assert (result.bronze, result.silver, result.quarantine, result.repeats) == (521, 500, 1, 20)
    assert result.is_clean
    assert list((tmp_path / "events").iterdir())
