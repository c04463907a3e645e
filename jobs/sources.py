"""Where records come from: the Kafka topic."""

import json
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession

from jobs.credentials import java_client_options
from jobs.settings import KafkaSettings

# What Spark takes for the first offset that is kept.
EARLIEST = -2
# Of the consumer groups that executors read with: Kafka's access rules name it.
GROUP_PREFIX = "momostream"


def stream_topic(spark: SparkSession, kafka: KafkaSettings, begin: Mapping[int, int] | None = None) -> DataFrame:
    """The topic from its beginning, as Kafka's columns; where the stream goes on is the checkpoint's business.

    `begin` is where to begin without a checkpoint, an offset or `EARLIEST` for each partition of the topic. A range of
    offsets that is gone before it was read stops the stream. Nothing secret is among the options: plans and event logs
    show them.
    """
    starting = json.dumps({kafka.topic: begin}) if begin is not None else "earliest"
    security = {f"kafka.{name}": value for name, value in java_client_options(kafka).items()}
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", kafka.bootstrap)
        .option("subscribe", kafka.topic)
        .option("startingOffsets", starting)
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", kafka.max_offsets_per_trigger)
        .option("groupIdPrefix", GROUP_PREFIX)
        .options(**security)
        .load()
    )
