"""Where records come from: the Kafka topic."""

from pyspark.sql import DataFrame, SparkSession

from jobs.settings import KafkaSettings


def stream_topic(spark: SparkSession, kafka: KafkaSettings) -> DataFrame:
    """The topic from its beginning, as Kafka's columns; where the stream goes on is the checkpoint's business.

    A range of offsets that is gone before it was read stops the stream.
    """
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", kafka.bootstrap)
        .option("subscribe", kafka.topic)
        .option("startingOffsets", "earliest")
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", kafka.max_offsets_per_trigger)
        .option("groupIdPrefix", "momostream")
        .load()
    )
