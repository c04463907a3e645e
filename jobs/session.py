"""The Spark session. Its settings come from `conf/spark-defaults.conf`, never from code."""

from pyspark.sql import SparkSession

from jobs.errors import DependencyMissing

# The classes that prove a JAR is there, and the packages that bring it.
REQUIRED = {
    "org.apache.spark.sql.delta.sources.DeltaDataSource": "io.delta:delta-spark_4.2_2.13:4.4.0",
    "org.apache.spark.sql.kafka010.KafkaSourceProvider": "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0",
}


def build_session(app_name: str) -> SparkSession:
    """The session of a program; raises `DependencyMissing` with the line to type when Spark lacks our JARs."""
    spark = SparkSession.builder.appName(app_name).getOrCreate()
    missing = [package for name, package in REQUIRED.items() if not _has_class(spark, name)]
    if missing:
        spark.stop()
        raise DependencyMissing(
            f"This Spark lacks the JARs of {' and '.join(missing)}: "
            f"run `make setup` and use .venv/bin/spark-submit, or "
            f"`spark-submit --packages {','.join(REQUIRED.values())} --properties-file conf/spark-defaults.conf …`."
        )
    return spark


def _has_class(spark: SparkSession, name: str) -> bool:
    loader = spark._jvm.java.lang.Thread.currentThread().getContextClassLoader()  # type: ignore[union-attr]
    return loader.getResource(name.replace(".", "/") + ".class") is not None
