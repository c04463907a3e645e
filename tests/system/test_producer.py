"""The producer against a real Kafka: nothing lost, nothing made up, nothing said that must not be said."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from infra.broker import create_topic, end_offsets, start_broker, stop_broker
from jobs.errors import DependencyMissing, SettingsError
from jobs.settings import ROOT, Settings, load_settings
from producers.produce_transactions import main
from producers.replay import ReplayCounts, ReplayOptions, replay

pytestmark = pytest.mark.kafka

DATA = ROOT / "data" / "transactions.json"


def record(number: int, payer: int = 0, amount: str = "12.30") -> bytes:
    return (
        f'{{"transaction_id": "t{number}", "sender_phone_number": "25677712{payer:04d}", '
        f'"receiver_phone_number": "256777000001", "transaction_amount": {amount}, '
        '"transaction_time": "2023-04-19 12:00:00"}'
    ).encode()


def write_lines(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def consumed(settings: Settings) -> list[Any]:
    """All records of the topic as Kafka has them, in the order of their partitions and offsets."""
    ends = end_offsets(settings)
    partitions = [TopicPartition(settings.kafka.topic, partition) for partition in ends]
    records: list[Any] = []
    with KafkaConsumer(bootstrap_servers=settings.kafka.bootstrap, consumer_timeout_ms=20_000) as consumer:
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        while len(records) < sum(end for _, end in ends.values()):
            records.extend(found for batch in consumer.poll(timeout_ms=1000).values() for found in batch)
    return sorted(records, key=lambda found: (found.partition, found.offset))


def values(settings: Settings) -> Counter[bytes]:
    return Counter(found.value for found in consumed(settings))


def options(source: Path | str, tmp_path: Path, **changes: Any) -> ReplayOptions:
    return replace(ReplayOptions(source=str(source), positions=tmp_path / "positions"), **changes)


def outcome(counts: ReplayCounts) -> tuple[int, int, int, int]:
    return counts.read, counts.sent, counts.acknowledged, counts.rejected


def impatient(settings: Settings, seconds: int = 3) -> Settings:
    return settings.model_copy(
        update={"producer": settings.producer.model_copy(update={"delivery_timeout_seconds": seconds})}
    )


def command(settings: Settings, *arguments: str) -> list[str]:
    address = ["--bootstrap", settings.kafka.bootstrap, "--topic", settings.kafka.topic]
    return [sys.executable, "-m", "producers.produce_transactions", *address, *arguments]


def started(settings: Settings, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(settings, *arguments), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
    )


def wait_for_records(settings: Settings, at_least: int) -> None:
    deadline = time.monotonic() + 60
    while sum(end for _, end in end_offsets(settings).values()) < at_least:
        assert time.monotonic() < deadline, "no records arrive"


@pytest.fixture
def own(tmp_path: Path, free_address: str) -> Iterator[Settings]:
    """A broker with a topic that the test may stop and kill."""
    settings = load_settings(
        environment={},
        kafka__bootstrap=free_address,
        broker__folder=str(tmp_path / "broker"),
        broker__heap="256m",
    )
    start_broker(settings)
    create_topic(settings)
    yield settings
    stop_broker(settings)


def test_each_record_arrives_once_as_the_text_it_was_under_its_payer(topic: Settings, tmp_path: Path) -> None:
    lines = [record(number, payer=number % 7) for number in range(2000)]
    counts = replay(options(write_lines(tmp_path / "a", lines), tmp_path), topic)

    arrived = consumed(topic)
    assert outcome(counts) == (2000, 2000, 2000, 0)
    assert sorted(found.value for found in arrived) == sorted(lines)
    assert all(found.key.decode() == json.loads(found.value)["sender_phone_number"] for found in arrived)
    assert not any(found.headers for found in arrived)
    for payer in range(7):
        of_payer = [found.value for found in arrived if found.key == b"25677712%04d" % payer]
        assert of_payer == lines[payer::7]


def test_the_time_of_a_record_is_its_arrival_and_never_the_event_time(topic: Settings, tmp_path: Path) -> None:
    before = time.time() * 1000
    replay(options(write_lines(tmp_path / "a", [record(1)]), tmp_path), topic)
    (arrived,) = consumed(topic)
    assert before - 5000 <= arrived.timestamp <= time.time() * 1000 + 5000
    assert arrived.timestamp_type == 1


def test_the_data_of_the_project_passes_whole(topic: Settings, tmp_path: Path) -> None:
    counts = replay(options(DATA, tmp_path), topic)
    assert counts.read == counts.acknowledged == sum(values(topic).values()) > 1000


def test_refused_records_are_kept_and_hold_up_no_other(topic: Settings, tmp_path: Path) -> None:
    bad = [b"{bad", b"\xff\xfe", record(2, amount="5.55555"), record(3, amount="1e3"), record(4, amount="-1"), b"5"]
    good = [record(number, amount=amount) for number, amount in ((10, "0"), (11, "0.1"), (12, "7.0000"))]
    source = write_lines(tmp_path / "a", [good[0], *bad, *good[1:]])
    counts = replay(options(source, tmp_path, rejected=tmp_path / "rejected"), topic)

    assert outcome(counts) == (9, 3, 3, 6)
    assert values(topic) == Counter(good)
    kept = [json.loads(line) for line in (tmp_path / "rejected").read_text().splitlines()]
    assert [entry["line"] for entry in kept] == [2, 3, 4, 5, 6, 7]
    assert [entry["reasons"][0]["path"] for entry in kept] == ["", "", *["/transaction_amount"] * 3, ""]
    assert kept[2]["record"].encode() == bad[2]


def limited(settings: Settings, max_message_bytes: int) -> None:
    """Let the topic take less than the settings say."""
    limits = {"max.message.bytes": str(max_message_bytes)}
    with KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.kafka.topic, configs=limits)])


def noisy(number: int, value_bytes: int) -> bytes:
    """A record of that length which no compression makes smaller."""
    short = record(number)[:-1] + b', "note": ""}'
    noise = base64.b64encode(os.urandom(value_bytes))[: value_bytes - len(short)]
    return short.replace(b'""', b'"' + noise + b'"')


@pytest.mark.parametrize("topic_takes_less", [False, True])
def test_a_record_that_is_too_large_is_refused_and_no_other(
    topic: Settings, tmp_path: Path, topic_takes_less: bool
) -> None:
    if topic_takes_less:
        limited(topic, 100_000)
    large = noisy(1, 100_001 if topic_takes_less else topic.topic.max_message_bytes + 1)
    good = [record(number) for number in range(2, 2000)]
    source = write_lines(tmp_path / "a", [*good[:1000], large, *good[1000:]])
    counts = replay(options(source, tmp_path, rejected=tmp_path / "rejected"), topic)

    assert outcome(counts) == (1999, 1998, 1998, 1)
    assert values(topic) == Counter(good)
    (kept,) = [json.loads(line) for line in (tmp_path / "rejected").read_text().splitlines()]
    assert (kept["line"], kept["record"].encode()) == (1001, large)
    assert "too large" in kept["reasons"][0]["reason"]


def test_at_the_edge_of_the_limit_a_record_is_either_sent_or_refused(topic: Settings, tmp_path: Path) -> None:
    limited(topic, 5000)
    lines = [noisy(size, size) for size in range(4800, 5020)]
    counts = replay(options(write_lines(tmp_path / "a", lines), tmp_path), topic)

    assert counts.read == 220 == counts.acknowledged + counts.rejected
    assert values(topic) == Counter(lines[: counts.acknowledged])
    assert 20 < counts.acknowledged < 200


def test_a_limit_that_is_lowered_on_the_way_ends_the_replay_and_a_resumed_one_keeps_to_it(
    topic: Settings, tmp_path: Path
) -> None:
    lines = [noisy(number, 3000 if number % 100 else 9000) for number in range(1, 4001)]
    replayed = options(write_lines(tmp_path / "a", lines), tmp_path)

    def lower_once(counts: ReplayCounts) -> None:
        if counts.acknowledged > 500:
            limited(topic, 8000)

    with pytest.raises(DependencyMissing, match="takes no records"):
        replay(replace(replayed, rate=1000), impatient(topic), report=lower_once)

    counts = replay(replace(replayed, resume=True), topic)
    assert counts.rejected > 0
    assert counts.acknowledged == counts.read - counts.rejected
    missing = set(lines) - values(topic).keys()
    assert missing <= {line for line in lines if len(line) == 9000}
    assert len(missing) == counts.rejected


def test_a_topic_that_is_not_there_is_said_and_not_made(broker: Settings, tmp_path: Path) -> None:
    unknown = broker.model_copy(update={"kafka": broker.kafka.model_copy(update={"topic": "nobody.made.it"})})
    with pytest.raises(DependencyMissing, match="no topic 'nobody.made.it': create it with `momo topics`"):
        replay(options(write_lines(tmp_path / "a", [record(1)]), tmp_path), unknown)
    with pytest.raises(DependencyMissing, match="no topic"):
        end_offsets(unknown)


def test_a_broker_that_is_down_at_the_start_ends_the_replay_in_time(tmp_path: Path, free_address: str) -> None:
    settings = impatient(load_settings(environment={}, kafka__bootstrap=free_address))
    began = time.monotonic()
    with pytest.raises(DependencyMissing, match=f"No Kafka broker answers at {free_address}"):
        replay(options(write_lines(tmp_path / "a", [record(1)]), tmp_path), settings)
    assert time.monotonic() - began < 3 + 10


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_a_broker_that_fails_on_the_way_ends_the_replay_in_time_and_a_resumed_one_completes_it(
    own: Settings, tmp_path: Path, how: signal.Signals
) -> None:
    pid = start_broker(own)
    lines = [record(number) for number in range(20_000)]
    replayed = options(write_lines(tmp_path / "a", lines), tmp_path, rate=4000)
    failed_at: list[float] = []

    def fail_once(counts: ReplayCounts) -> None:
        if counts.acknowledged > 1000 and not failed_at:
            failed_at.append(time.monotonic())
            os.kill(pid, how)

    with pytest.raises(DependencyMissing, match=rf"Kafka at {own.kafka.bootstrap} takes no records .* of .* sent"):
        replay(replayed, impatient(own), report=fail_once)
    assert time.monotonic() - failed_at[0] < 3 + 10

    if how == signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
    start_broker(own)
    (position,) = (tmp_path / "positions").iterdir()
    saved = json.loads(position.read_text())["line"]
    arrived = values(own)
    assert 0 < saved < 20_000
    assert set(lines[:saved]) <= arrived.keys()

    counts = replay(replace(replayed, rate=None, resume=True), own)
    assert counts.read == counts.acknowledged == 20_000 - saved
    assert values(own).keys() == set(lines)


def test_a_broker_that_is_back_soon_costs_no_record_and_doubles_none(own: Settings, tmp_path: Path) -> None:
    lines = [record(number) for number in range(20_000)]
    restarts: list[threading.Thread] = []

    def restart_once(counts: ReplayCounts) -> None:
        if counts.acknowledged > 1000 and not restarts:
            os.kill(start_broker(own), signal.SIGKILL)
            restarts.append(threading.Thread(target=start_broker, args=[own]))
            restarts[0].start()

    counts = replay(options(write_lines(tmp_path / "a", lines), tmp_path, rate=4000), own, report=restart_once)

    restarts[0].join()
    assert outcome(counts) == (20_000, 20_000, 20_000, 0)
    assert values(own) == Counter(lines)


def test_a_producer_killed_again_and_again_loses_nothing(topic: Settings, tmp_path: Path) -> None:
    lines = [record(number) for number in range(30_000)]
    source = write_lines(tmp_path / "a", lines)
    for killed in range(3):
        so_far = sum(end for _, end in end_offsets(topic).values())
        resume = ["--resume"] if killed else []
        producer = started(topic, "--source", str(source), "--rate", "5000", *resume)
        wait_for_records(topic, so_far + 6000)
        producer.kill()
        assert producer.wait() == -signal.SIGKILL
        producer.communicate()

    assert main([*command(topic)[3:], "--source", str(source), "--resume"]) == 0
    arrived = values(topic)
    assert arrived.keys() == set(lines)
    assert sum(arrived.values()) < 30_000 + 3 * 15_000


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_delivers_what_was_read_and_a_resumed_replay_sends_the_rest_once(
    topic: Settings, tmp_path: Path, stop: signal.Signals
) -> None:
    lines = [record(number) for number in range(10_000)]
    source = write_lines(tmp_path / "a", lines)
    producer = started(topic, "--source", str(source), "--rate", "1000", "--json")
    wait_for_records(topic, 500)
    producer.send_signal(stop)
    said, _ = producer.communicate()

    counts = json.loads(said)
    assert producer.returncode == 0
    assert 500 <= counts["read"] == counts["sent"] == counts["acknowledged"] < 10_000
    assert values(topic) == Counter(lines[: counts["read"]])

    assert main([*command(topic)[3:], "--source", str(source), "--resume"]) == 0
    assert values(topic) == Counter(lines)


def test_a_replay_from_the_beginning_forgets_where_the_last_one_ended(topic: Settings, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "a", [record(1), record(2)])
    resumed = options(source, tmp_path, resume=True)
    assert replay(options(source, tmp_path), topic).read == 2
    assert replay(resumed, topic).read == 0

    stop = threading.Event()
    stop.set()
    assert replay(options(source, tmp_path), topic, stop).read == 0
    assert replay(resumed, topic).read == 2


def test_a_file_that_changed_is_not_resumed(topic: Settings, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "a", [record(1), record(2)])
    replay(options(source, tmp_path), topic)
    write_lines(source, [record(3), record(1), record(2)])
    with pytest.raises(SettingsError, match="has changed since it was replayed up to line 2"):
        replay(options(source, tmp_path, resume=True), topic)


def test_standard_input_is_read_to_its_end(topic: Settings) -> None:
    producer = started(topic, "--source", "-", "--json", stdin=subprocess.PIPE)
    said, _ = producer.communicate(b"\n".join([record(1), record(2)]).decode())
    assert json.loads(said)["acknowledged"] == 2
    assert values(topic) == Counter([record(1), record(2)])


def test_a_silent_pipe_does_not_hold_up_a_stop(topic: Settings) -> None:
    producer = started(topic, "--source", "-", "--json", stdin=subprocess.PIPE)
    assert producer.stdin
    producer.stdin.write(record(1).decode() + "\n")
    producer.stdin.flush()
    wait_for_records(topic, 1)
    producer.send_signal(signal.SIGINT)
    said = producer.stdout.read() if producer.stdout else ""
    assert json.loads(said)["acknowledged"] == 1
    assert producer.wait() == 0
    producer.communicate()


def test_a_loop_begins_again_until_it_is_stopped(topic: Settings, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "a", [record(number) for number in range(100)])
    stop = threading.Event()

    def stop_after_two_passes(counts: ReplayCounts) -> None:
        if counts.read > 200:
            stop.set()

    counts = replay(options(source, tmp_path, loop=True, rate=500), topic, stop, stop_after_two_passes)
    assert counts.acknowledged == counts.read > 200
    assert len(values(topic)) == 100
    assert not (tmp_path / "positions").exists()


def test_a_loop_over_nothing_ends(topic: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert replay(options(tmp_path / "empty", tmp_path, loop=True), topic).read == 0


def test_a_rate_is_kept(topic: Settings, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "a", [record(number) for number in range(600)])
    counts = replay(options(source, tmp_path, rate=300), topic)
    assert counts.acknowledged == 600
    assert counts.seconds > 1.9


def test_faults_reach_the_topic_and_the_manifest_tells_of_them(topic: Settings, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    counts = replay(options(DATA, tmp_path, faults=ROOT / "conf" / "faults.toml", manifest=manifest), topic)
    told = json.loads(manifest.read_text())
    assert counts.read == told["records_in"] < counts.sent == counts.acknowledged == told["records_out"]
    assert sum(values(topic).values()) == counts.sent
    assert not (tmp_path / "positions").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "-", "resume": True},
        {"source": "-", "loop": True},
        {"resume": True, "loop": True},
        {"resume": True, "faults": Path("conf/faults.toml")},
        {"rate": 1.0, "speed": 1.0},
        {"rate": 0.0},
        {"speed": -1.0},
        {"manifest": Path("m")},
        {"rejected": Path("a")},
    ],
    ids=str,
)
def test_options_that_do_not_go_together_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        ReplayOptions(**{"source": "a", **changes})


def test_nothing_that_is_printed_shows_a_number_of_a_customer(
    topic: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    canary = record(1, payer=9876).replace(b"12.30", b"12.345678")
    source = write_lines(tmp_path / "a", [record(1, payer=9876), canary, canary[:-5]])
    assert main([*command(topic)[3:], "--source", str(source)]) == 0
    printed = "".join(capfd.readouterr())
    assert "9876" not in printed
    assert "read 3 · sent 1 · acknowledged 1 · rejected 2" in printed
    assert "give --rejected FILE" in printed


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--source", "https://api/x?key=secret", "--loop"], 64, "--loop reads a file"),
        (
            ["--source", "https://api/x?key=secret", "--token-variable", "NO_SUCH"],
            64,
            "'NO_SUCH' that --token-variable",
        ),
        (["--source", "env:NO_SUCH"], 64, "'NO_SUCH' that --source names is empty"),
        (["--source", "postgresql://momo:secret@host/x"], 64, "by --query SQL"),
        (["--source", "no/such/file"], 64, "No such file"),
        (["--source", str(DATA), "--format", "xml"], 64, "momo produce --help"),
        (["--source", str(DATA), "--rate", "1", "--speed", "1"], 64, "not allowed with"),
        ([], 64, "--source"),
        (["--source", str(DATA), "--topic", "nobody.made.it"], 69, "create it with `momo topics`"),
        (["--source", str(DATA), "--conf-file", "no.toml"], 64, "no.toml"),
        (["--source", str(DATA), "--rejected", "no/folder/r"], 64, "cannot be written"),
    ],
)
def test_what_a_user_gets_wrong_is_one_sentence_and_an_exit_code(
    topic: Settings, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert main([*command(topic)[3:], *arguments]) == code
    printed = capfd.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert len(printed.err.splitlines()) == 1
    assert "secret" not in printed.err
