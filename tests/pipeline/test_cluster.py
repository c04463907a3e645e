"""What is true of the session of `make test-cluster` alone; tests/pipeline/test_stream.py then runs in it as it is."""

import pytest
from pyspark.sql import functions as F

pytestmark = pytest.mark.cluster


def test_tasks_run_in_two_processes_neither_of_them_the_driver(spark):
    process = F.expr("java_method('java.lang.ProcessHandle', 'current')").alias("process")
    workers = {row.process for row in spark.range(0, 200, numPartitions=20).select(process).distinct().collect()}
    driver = str(spark._jvm.java.lang.ProcessHandle.current().pid())

    assert len(workers) == 2
    assert driver not in workers
