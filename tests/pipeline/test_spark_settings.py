import re

import pytest

from jobs.settings import ROOT
from jobs.sources import stream_topic
from tests.builders import SETTINGS

# Read by their names, without an entry in Spark's register: by the launcher, by Hadoop, by the state store's provider.
UNREGISTERED = (
    "spark.master",
    "spark.app.name",
    "spark.driver.defaultJavaOptions",
    "spark.executor.defaultJavaOptions",
    "spark.hadoop.parquet.enable.dictionary#",
    "spark.sql.streaming.stateStore.rocksdb.",
)


def settings(name):
    lines = (ROOT / "conf" / name).read_text().splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name", ["spark-defaults.conf", "cluster.conf"])
def test_every_setting_is_one_that_this_spark_or_delta_knows(spark, name):
    # Delta registers its settings when they are first asked for.
    spark._jvm.java.lang.Class.forName("org.apache.spark.sql.delta.sources.DeltaSQLConf$")
    entries = spark._jvm.org.apache.spark.internal.config.ConfigEntry
    registered = [key for key in settings(name) if not key.startswith(UNREGISTERED)]

    assert [key for key in registered if entries.findEntry(key) is None] == []


def test_the_settings_of_a_cluster_repeat_none_of_those_they_come_on_top_of():
    assert not set(settings("cluster.conf").items()) & set(settings("spark-defaults.conf").items())


SECRETS = (
    "spark.momo.hmac.key",
    "spark.momo.pepper",
    "spark.hadoop.fs.s3a.secret.key",
    "spark.hadoop.fs.s3a.access.key",
    "kafka.sasl.jaas.config",
    "kafka.ssl.keystore.key",
    "kafka.ssl.key.password",
    "spark.io.encryption.keySalt",
    "spark.authenticate.secret",
)


@pytest.mark.parametrize("pattern", ["spark.redaction.regex", "spark.sql.redaction.options.regex"])
def test_settings_that_hold_a_secret_are_not_shown_and_our_own_are(pattern):
    hides = re.compile(settings("spark-defaults.conf")[pattern]).search

    assert [name for name in SECRETS if not hides(name)] == []
    ours = {**settings("spark-defaults.conf"), **settings("cluster.conf")}
    assert [name for name in ours if hides(name) and ".redaction." not in name] == []


def test_the_stream_begins_at_the_beginning_and_a_loss_stops_it(spark):
    plan = stream_topic(spark, SETTINGS.kafka)._jdf.queryExecution().analyzed()
    options = plan.collectLeaves().apply(0).extraOptions()

    assert options.get("startingOffsets") == "earliest"
    assert options.get("failOnDataLoss") == "true"
