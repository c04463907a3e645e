"""The local broker and the topic, against a real Kafka."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from infra import kafka_server
from infra.broker import broker_status, create_topic, end_offsets, start_broker, stop_broker
from jobs.errors import DependencyMissing, SettingsError
from jobs.settings import ROOT, Settings, load_settings

pytestmark = pytest.mark.kafka


def settings_for(folder: Path, address: str) -> Settings:
    return load_settings(environment={}, kafka__bootstrap=address, broker__folder=str(folder), broker__heap="256m")


@pytest.fixture
def own(tmp_path: Path, free_address: str) -> Iterator[Settings]:
    """Settings of a broker that the test starts by itself."""
    settings = settings_for(tmp_path / "broker", free_address)
    yield settings
    stop_broker(settings)


def with_topic(settings: Settings, **values: int) -> Settings:
    return settings.model_copy(update={"topic": settings.topic.model_copy(update=values)})


def send(settings: Settings, count: int) -> None:
    with KafkaProducer(bootstrap_servers=settings.kafka.bootstrap) as producer:
        for number in range(count):
            producer.send(settings.kafka.topic, b"%d" % number)


def record_count(settings: Settings) -> int:
    return sum(end - first for first, end in end_offsets(settings).values())


def java_processes(settings: Settings) -> list[str]:
    """Command lines of processes that serve the broker's folder."""
    lines = subprocess.run(["ps", "-ww", "-e", "-o", "command="], capture_output=True, text=True, check=True).stdout
    return [line for line in lines.splitlines() if str(settings.broker_path) in line]


def test_a_broker_outlives_the_session_that_started_it_and_a_stop_leaves_no_process(own: Settings) -> None:
    program = (
        "from infra.broker import start_broker; from jobs.settings import load_settings;"
        f"print(start_broker(load_settings(environment={{}}, kafka__bootstrap={own.kafka.bootstrap!r},"
        f" broker__folder={own.broker.folder!r})))"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    pid = int(starter.communicate()[0])
    with pytest.raises(ProcessLookupError):
        os.killpg(starter.pid, signal.SIGHUP)

    status = broker_status(own)
    assert (status.running, status.pid, status.address) == (True, pid, own.kafka.bootstrap)
    assert len(java_processes(own)) == 1
    assert start_broker(own) == pid
    assert create_topic(own)

    assert stop_broker(own)
    assert java_processes(own) == []
    assert not broker_status(own).running
    assert not stop_broker(own)


def test_a_broker_killed_hard_starts_again_with_its_records(own: Settings) -> None:
    pid = start_broker(own)
    create_topic(own)
    send(own, 100)
    os.kill(pid, signal.SIGKILL)

    assert start_broker(own) != pid
    assert record_count(own) == 100


def test_a_running_broker_is_not_taken_for_one_at_another_address(own: Settings) -> None:
    start_broker(own)
    elsewhere = settings_for(own.broker_path, "127.0.0.1:1024")

    with pytest.raises(SettingsError, match=f"runs already, at {own.kafka.bootstrap}"):
        start_broker(elsewhere)
    assert broker_status(elsewhere).address == own.kafka.bootstrap


@pytest.mark.parametrize("offset", [0, 1], ids=["broker port", "controller port"])
def test_a_port_that_another_program_holds_is_named(own: Settings, offset: int) -> None:
    port = int(own.kafka.bootstrap.rpartition(":")[2]) + offset
    with socket.create_server(("127.0.0.1", port)), pytest.raises(SettingsError, match=f"Port {port} of 127.0.0.1"):
        start_broker(own)
    assert not broker_status(own).running


@pytest.mark.parametrize(
    "bootstrap", ["10.0.0.1:9092", "kafka-1:9092", "127.0.0.1:9092,127.0.0.1:9093", "127.0.0.1:65535"]
)
def test_only_one_loopback_address_is_started(tmp_path: Path, bootstrap: str) -> None:
    with pytest.raises(SettingsError, match="one loopback address"):
        start_broker(settings_for(tmp_path, bootstrap))


def test_a_local_broker_that_asks_who_you_are_is_not_started(tmp_path: Path) -> None:
    asking = {"kafka__security_protocol": "SASL_SSL", "kafka__username": "momo-stream"}
    with pytest.raises(SettingsError, match="the local broker asks nobody who he is"):
        start_broker(load_settings(environment={}, broker__folder=str(tmp_path), **asking))


def test_a_folder_of_another_kafka_version_is_refused(own: Settings) -> None:
    (own.broker_path / "kafka-3.9.0-mAAAAAAAAAAAAAAAAAAAAA").mkdir(parents=True)

    with pytest.raises(SettingsError, match="was made by Kafka 3.9.0, this is 4"):
        start_broker(own)


def test_a_folder_whose_formatting_was_cut_off_is_formatted_again(own: Settings) -> None:
    (own.broker_path / "forming").mkdir(parents=True)
    (own.broker_path / "forming" / "bootstrap.checkpoint").write_text("half")

    assert start_broker(own) > 0


def test_a_broker_that_ends_at_its_start_is_not_waited_for(own: Settings) -> None:
    too_small = own.model_copy(update={"broker": own.broker.model_copy(update={"heap": "1m"})})
    started = time.monotonic()
    with pytest.raises(DependencyMissing, match="ended at its start: .*broker.log"):
        start_broker(too_small)
    assert time.monotonic() - started < 30


def test_a_recorded_process_that_is_not_the_broker_is_left_alone(own: Settings) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    own.broker_path.mkdir()
    (own.broker_path / "broker.pid").write_text(str(bystander.pid))

    assert not broker_status(own).running
    assert not stop_broker(own)
    assert bystander.poll() is None
    bystander.communicate(b"\n")


def test_missing_jars_and_a_missing_java_are_said(
    own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changed, pytest.raises(DependencyMissing, match="JARs are not in .*make setup"):
        changed.setattr(kafka_server, "JARS", tmp_path)
        start_broker(own)
    with monkeypatch.context() as changed, pytest.raises(DependencyMissing, match="No Java was found"):
        changed.setattr(kafka_server, "JAVA_HOME_FILE", tmp_path / "java-home")
        start_broker(own)


def test_a_topic_is_made_once_as_the_settings_say(topic: Settings) -> None:
    assert not create_topic(topic)
    assert end_offsets(topic) == {0: (0, 0), 1: (0, 0)}

    send(topic, 7)
    assert record_count(topic) == 7


def test_a_topic_with_fewer_partitions_is_refused_and_one_with_more_is_not(topic: Settings) -> None:
    assert not create_topic(with_topic(topic, partitions=1))
    with pytest.raises(SettingsError, match="has 2 partitions, topic.partitions is 3"):
        create_topic(with_topic(topic, partitions=3))


def test_a_topic_that_keeps_the_producers_times_is_refused(broker: Settings) -> None:
    named = broker.model_copy(update={"kafka": broker.kafka.model_copy(update={"topic": "create.time"})})
    with KafkaAdminClient(bootstrap_servers=broker.kafka.bootstrap) as admin:
        admin.create_topics({"create.time": {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)

    with pytest.raises(SettingsError, match="LogAppendTime"):
        create_topic(named)


def test_more_copies_than_brokers_are_refused(topic: Settings) -> None:
    named = topic.model_copy(update={"kafka": topic.kafka.model_copy(update={"topic": "three.copies"})})
    with pytest.raises(SettingsError, match="topic.replication is 3"):
        create_topic(with_topic(named, replication=3))


def test_a_topic_nobody_made_is_not_made_by_asking_for_it(broker: Settings) -> None:
    unknown = broker.model_copy(update={"kafka": broker.kafka.model_copy(update={"topic": "no.such.topic"})})
    for _ in range(2):
        with pytest.raises(DependencyMissing, match="no topic 'no.such.topic': create it with `momo topics`"):
            end_offsets(unknown)


def test_a_broker_that_is_down_is_named_within_ten_seconds(own: Settings) -> None:
    started = time.monotonic()
    with pytest.raises(DependencyMissing, match=f"answers at {own.kafka.bootstrap}"):
        end_offsets(own)
    assert time.monotonic() - started < 10
