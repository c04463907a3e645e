"""The pipeline on a Kafka that asks who you are: each program as the user whose part it is, and no secret seen."""

import json
import os
import socket
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaTCPTransport

from infra import access, broker_commands, set_up
from infra.kafka_clients import client_options, read_before_end
from jobs import reconcile_tables, stream_transactions
from jobs.command_line import run
from jobs.lake import Lake
from jobs.pipeline import Pipeline
from jobs.settings import ROOT
from jobs.sources import stream_topic
from producers import produce_transactions
from tests.builders import dummy, encoded
from tests.system.certificates import write_authority
from tests.system.secured_broker import secured_broker
from tests.system.test_stream_on_kafka import ENVIRONMENT, SUBMIT

# One worker runs them all, for the broker is theirs.
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600), pytest.mark.xdist_group("secured")]

CANARY = "canary-4f9c2a"
# Names that nobody here uses, as a user's own settings might be called.
CANARIES = ("spark.momo.hmac.key", "spark.momo.pepper", "spark.hadoop.fs.s3a.secret.key", "spark.momo.keystore.pem")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    """A broker with the topic and the rules of the pipeline, and twenty records in it."""
    with secured_broker(tmp_path_factory.mktemp("secured")) as broker:
        assert run(access.main, ["--conf-file", str(broker.conf_file("admin"))]) == 0
        assert run(broker_commands.main, ["topics", "--conf-file", str(broker.conf_file("momo-operator"))]) == 0
        source = broker.folder / "records.ndjson"
        source.write_bytes(b"\n".join(encoded(dummy(transaction_id=f"D-{i}")) for i in range(20)))
        producer = str(broker.conf_file("momo-producer"))
        assert produce_transactions.main(["--source", str(source), "--conf-file", producer]) == 0
        yield broker


def files_with(secret: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def command_lines_with(secrets: Iterable[str]) -> list[str]:
    """The processes of this machine that show one of these to everybody."""
    shown = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = path.read_bytes().decode(errors="replace")
            shown += [line for secret in secrets if secret in line]
    return shown


def spark_conf_with_canaries(folder: Path) -> Path:
    """Spark's settings of this project, with an event log and with secrets of a user's own."""
    set_up.write_spark_conf(folder / "conf")
    (folder / "events").mkdir()
    own = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder / "events",
        "spark.eventLog.compress": "false",
    }
    with (folder / "conf" / "spark-defaults.conf").open("a") as defaults:
        defaults.writelines(f"{name} {value}\n" for name, value in {**own, **dict.fromkeys(CANARIES, CANARY)}.items())
    return folder / "conf"


def test_each_user_does_its_part_and_no_secret_is_seen(kafka, tmp_path):
    lake, stream = tmp_path / "lake", kafka.conf_file("momo-stream")
    # Spark gets the password by the environment here, and by its file in the tests below.
    by_environment = tmp_path / "stream.toml"
    by_environment.write_text(
        "".join(line for line in stream.read_text().splitlines(keepends=True) if not line.startswith("password_file"))
    )
    environment = {"SPARK_CONF_DIR": str(spark_conf_with_canaries(tmp_path))}
    environment["MOMO_KAFKA_PASSWORD"] = kafka.passwords["momo-stream"]
    command = [str(SUBMIT), str(ROOT / "jobs" / "stream_transactions.py"), "--available-now"]
    command += ["--conf-file", str(by_environment), "--lake", str(lake)]
    shown: list[str] = []
    with (tmp_path / "stream.log").open("w") as log:
        streaming = subprocess.Popen(command, env=ENVIRONMENT | environment, stdout=log, stderr=subprocess.STDOUT)
        code = None
        while code is None:
            shown += command_lines_with([*kafka.passwords.values(), CANARY])
            with suppress(subprocess.TimeoutExpired):
                code = streaming.wait(timeout=0.2)

    assert code == 0, (tmp_path / "stream.log").read_text()
    operator = ["--conf-file", str(kafka.conf_file("momo-operator")), "--lake", str(lake)]
    assert run(reconcile_tables.main, operator) == 0
    assert shown == []
    events = "".join(path.read_text() for path in (tmp_path / "events").rglob("*") if path.is_file())
    assert all(name.removeprefix("spark.hadoop.") in events for name in CANARIES)
    assert "ScramLoginModule" not in events
    (tmp_path / "conf" / "spark-defaults.conf").unlink()
    for secret in (CANARY, *kafka.passwords.values()):
        assert files_with(secret, tmp_path) == []


def test_rules_that_are_there_are_not_made_again(kafka, capsys):
    run(access.main, ["--json", "--conf-file", str(kafka.conf_file("admin"))])

    rules = json.loads(capsys.readouterr().out)["rules"]
    assert len(rules) == 18
    assert not any(rule["new"] for rule in rules)
    of_stream = [(rule["may"], rule["resource"]) for rule in rules if rule["user"] == "momo-stream"]
    topic, alerts = "topic momo.transactions", "topic momo.alerts"
    on_topics = [("DESCRIBE", alerts), ("WRITE", alerts), ("DESCRIBE", topic), ("READ", topic)]
    assert of_stream == [("READ", "group momostream*"), *on_topics]


def test_the_stream_cannot_write(kafka):
    settings = kafka.settings("momo-stream")
    with KafkaProducer(**client_options(settings.kafka), enable_idempotence=False) as producer:
        sent = producer.send(settings.kafka.topic, b"{}")
        with pytest.raises(TopicAuthorizationFailedError):
            sent.get(timeout=30)


@pytest.mark.parametrize("user", ["momo-producer", "momo-operator"])
def test_neither_the_producer_nor_the_operator_can_read(kafka, user):
    settings = kafka.settings(user)
    with KafkaConsumer(**client_options(settings.kafka)) as consumer:
        place = TopicPartition(settings.kafka.topic, 0)
        consumer.assign([place])
        consumer.seek(place, 0)
        with pytest.raises(TopicAuthorizationFailedError):
            consumer.poll(timeout_ms=30_000)


def test_a_stream_that_may_not_read_says_so_and_one_that_may_reads_by_its_file(kafka, spark, tmp_path, capsys):
    lake = Lake(tmp_path / "lake")
    lake.create()

    def stream_as(user: str) -> int:
        settings = kafka.settings(user)

        def carried(_: object) -> int:
            Pipeline(spark, lake, settings, stream_topic(spark, settings.kafka)).run_available()
            return 0

        return run(carried)

    assert stream_as("momo-producer") == 77
    said = capsys.readouterr().err
    assert "Kafka does not let the stream read its topic" in said
    assert kafka.passwords["momo-producer"] not in said
    assert stream_as("momo-stream") == 0
    assert lake.value("SELECT count(*) FROM silver_transactions") == 20


PROGRAMS = {
    "topics": (broker_commands.main, ["topics"]),
    "produce": (produce_transactions.main, ["--source", os.devnull]),
    "stream": (stream_transactions.main, ["--lake", "lake"]),
    "access": (access.main, []),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_wrong_password_is_one_sentence(kafka, capsys, program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main, arguments = PROGRAMS[program]
    conf_file = kafka.conf_file("momo-operator", password="wrong-7d1f")

    code, said = run(main, [*arguments, "--conf-file", str(conf_file)]), capsys.readouterr()

    assert code == 77
    assert said.out == ""
    assert "refuses the user 'momo-operator' or its password" in said.err
    assert len(said.err.splitlines()) == 1
    assert "wrong-7d1f" not in said.err


def test_a_refusal_is_read_when_the_connection_ended_with_it():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.sendall(b"refused")
    theirs.close()
    transport = KafkaTCPTransport(NetworkSelector(), ours)

    read = partial(read_before_end, transport._sock_recv)

    assert read() == (b"refused", None)
    assert isinstance(read()[1], KafkaConnectionError)


def test_a_user_without_a_right_is_told_which(kafka, capsys):
    conf_file = kafka.conf_file("momo-stream")

    assert run(access.main, ["--conf-file", str(conf_file)]) == 77
    assert "ClusterAuthorizationFailedError" in capsys.readouterr().err
    assert run(broker_commands.main, ["topics", "--topic", "momo.other", "--conf-file", str(conf_file)]) == 77
    assert "with the topic 'momo.other' (TopicAuthorizationFailedError)" in capsys.readouterr().err


def test_a_broker_that_nobody_vouches_for_is_not_talked_to(kafka, tmp_path, capsys):
    write_authority(tmp_path / "other.pem")
    conf_file = kafka.conf_file("momo-operator", ca_file=tmp_path / "other.pem")

    assert run(broker_commands.main, ["topics", "--conf-file", str(conf_file)]) == 77
    assert "shows a certificate that is not trusted" in capsys.readouterr().err
