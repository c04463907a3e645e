"""A real topic that loses records or is made anew, and checkpoints that are lost: refused, and the way on is exact."""

import shutil
from contextlib import suppress

import pytest
from kafka import KafkaAdminClient, TopicPartition
from pyspark.errors import StreamingQueryException

from infra.topics import create_topic, end_offsets, topic_state
from jobs import reconcile_tables, stream_transactions
from jobs.command_line import run
from jobs.errors import SettingsError
from jobs.inspection import INGEST
from jobs.lake import Lake
from jobs.pipeline import Pipeline
from jobs.provenance import Loss
from jobs.recovery import Start, prepare
from jobs.sources import stream_topic
from jobs.stream_faults import told
from tests.system.test_stream_on_kafka import proof, refusal, send, submit, transfers

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


@pytest.fixture
def stream(spark, topic, tmp_path):
    """The program, in the session of the tests: with these flags it carries what is there and gives its exit code."""
    kafka = ["--bootstrap", topic.kafka.bootstrap, "--topic", topic.kafka.topic, "--lake", str(tmp_path)]
    return lambda *flags: run(stream_transactions.main, ["--available-now", *kafka, *flags])


def goes_on(topic, lake):
    """Whether the next start finds everything as it should be."""
    return prepare(lake, topic, topic_state(topic), recover=None, accept_loss=False) == Start()


def test_lost_checkpoints_are_refused_and_the_tables_say_where_to_go_on(topic, tmp_path, stream):
    lake = Lake(tmp_path)
    send(topic, [*transfers(0, 300), *transfers(0, 20), b"{"])
    assert stream() == 0
    shutil.rmtree(tmp_path / "_checkpoints")
    send(topic, [*transfers(300, 50), *transfers(10, 10)])

    code, said = refusal(submit(topic, tmp_path, "--available-now"))
    assert code == 65
    assert f"The checkpoint {lake.checkpoint_path(INGEST)} is missing or empty" in said

    assert stream("--recover") == 0
    result = proof(topic, tmp_path)
    assert (result.bronze, result.silver, result.quarantine, result.repeats) == (381, 350, 1, 30)
    assert result.is_clean, result
    assert goes_on(topic, lake)

    # With nothing new in the topic a checkpoint is made too.
    assert stream("--recover", INGEST) == 0
    assert goes_on(topic, lake)
    assert proof(topic, tmp_path) == result


def test_a_topic_made_anew_is_refused_though_it_has_more_records_than_were_read(topic, stream, capsys):
    send(topic, transfers(0, 10))
    assert stream() == 0
    with KafkaAdminClient(bootstrap_servers=topic.kafka.bootstrap) as admin:
        admin.delete_topics([topic.kafka.topic])
    is_made = False
    while not is_made:
        # Until the broker has forgotten the first one.
        with suppress(SettingsError):
            is_made = create_topic(topic)
    send(topic, transfers(100, 50))

    for flags in ((), ("--recover",), ("--accept-loss",)):
        assert stream(*flags) == 65
        assert f"The topic '{topic.kafka.topic}' was made anew since the lake" in capsys.readouterr().err


def test_records_deleted_before_they_were_read_stop_the_stream_until_the_loss_is_accepted(
    spark, topic, tmp_path, stream, capsys
):
    lake = Lake(tmp_path)
    send(topic, transfers(0, 40))
    assert stream() == 0
    first = end_offsets(topic)[0][1]
    send(topic, transfers(40, 60))
    with KafkaAdminClient(bootstrap_servers=topic.kafka.bootstrap) as admin:
        admin.delete_records({TopicPartition(topic.kafka.topic, 0): first + 5})

    # As a stream that was running meanwhile.
    with pytest.raises(StreamingQueryException) as stopped:
        Pipeline(spark, lake, topic, stream_topic(spark, topic.kafka)).run_available()
    fault = told(str(stopped.value))
    assert fault.exit_code == 65
    assert "Kafka has deleted records before they were read" in str(fault)

    for flags in ((), ("--recover",)):
        assert stream(*flags) == 65
        gap = f"5 records of partition 0, offsets {first}–{first + 4}"
        assert (
            f"Kafka has deleted records of '{topic.kafka.topic}' before they were read ({gap})"
            in capsys.readouterr().err
        )

    assert stream("--accept-loss") == 0
    result = proof(topic, tmp_path)
    assert result.losses == (Loss(topic.kafka.topic, 0, first, first + 5),)
    assert (result.kafka, result.bronze, result.is_clean) == (100, 95, True)
    assert goes_on(topic, lake)

    kafka = ["--bootstrap", topic.kafka.bootstrap, "--topic", topic.kafka.topic]
    capsys.readouterr()
    assert run(reconcile_tables.main, ["--lake", str(tmp_path), *kafka]) == 0
    said = capsys.readouterr().out
    assert "100 Kafka records - 5 accepted as lost = 95 bronze" in said
    assert f"accepted as lost: {gap}" in said
