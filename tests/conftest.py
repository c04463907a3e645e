"""One Spark session for the whole run, and the pieces tests are written with."""

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from jobs.session import build_session
from tests.keys import KEYS

# The tests' JVM lives for minutes: the second compiler would take more time than its code saves. Without it Java keeps
# room for a fifth of the code, and when that is full it compiles no more.
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
os.environ.setdefault("SPARK_SUBMIT_OPTS", QUICK_START)

# For the programs too that tests start.
os.environ["MOMO_KEYS"] = KEYS

# `make test-cluster` gives another master: a JVM's master is chosen at its start, before there is a session to ask.
MASTER = os.environ.get("MOMO_TEST_MASTER")
if MASTER:
    # All executors are there before the first task, or the first one would do the work of all.
    everyone = "--conf spark.cores.max=2 --conf spark.scheduler.minRegisteredResourcesRatio=1"
    quick = f"--conf spark.executor.extraJavaOptions={QUICK_START}"
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--master {MASTER} {everyone} {quick} pyspark-shell"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session of `conf/spark-defaults.conf`, with one shuffle partition: a task costs more than a test's rows.

    With executors of their own there are two, so that rows and state cross from one process to the other.
    """
    session = build_session("tests")
    session.conf.set("spark.sql.shuffle.partitions", "2" if MASTER else "1")
    # Rows given by a test would be computed while planning, by other code than that which runs on a topic.
    local = "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation"
    session.conf.set("spark.sql.optimizer.excludedRules", local)
    yield session
    session.stop()
