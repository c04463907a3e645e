"""One Spark session for the whole run, and the pieces tests are written with."""

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from jobs.session import build_session

# The tests' JVM lives for minutes: the second compiler would take more time than its code saves.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session of `conf/spark-defaults.conf`, with one shuffle partition: a task costs more than a test's rows."""
    session = build_session("tests")
    session.conf.set("spark.sql.shuffle.partitions", "1")
    # Rows given by a test would be computed while planning, by other code than that which runs on a topic.
    local = "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation"
    session.conf.set("spark.sql.optimizer.excludedRules", local)
    yield session
    session.stop()
