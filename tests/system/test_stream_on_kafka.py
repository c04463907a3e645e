"""The stream as its users start it: spark-submit, a real broker, signals and kills from outside."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from kafka import KafkaProducer

from infra.topics import end_offsets
from jobs.lake import Lake
from jobs.reconciliation import reconcile
from jobs.settings import ROOT, Settings
from tests.builders import RING, dummy, encoded, gsma
from tests.system.listening import TABLES, listening_addresses

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

SUBMIT = Path(sys.prefix) / "bin" / "spark-submit"
STREAM = ROOT / "jobs" / "stream_transactions.py"
FOREIGN = ("SPARK", "PYSPARK", "MOMO__")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def submit(settings: Settings, lake: Path, *flags: str) -> list[str]:
    kafka = ["--bootstrap", settings.kafka.bootstrap, "--topic", settings.kafka.topic]
    return [str(SUBMIT), str(STREAM), *kafka, "--lake", str(lake), *flags]


def run_available(settings: Settings, lake: Path) -> subprocess.CompletedProcess[str]:
    """Carry what is in the topic through the tables, from another folder and with no variable set."""
    command = submit(settings, lake, "--available-now")
    return subprocess.run(command, cwd=lake.parent, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)


def started(command: list[str], log: TextIO, **environment: str) -> subprocess.Popen[bytes]:
    """A stream in a session of its own; spark-submit puts what Python says on either channel on standard output."""
    own = ENVIRONMENT | environment
    return subprocess.Popen(command, env=own, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)


def send(settings: Settings, records: Iterator[object] | list[object]) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.kafka.bootstrap, linger_ms=5, max_request_size=4_000_000)
    for i, record in enumerate(records):
        key = None if i % 3 == 0 and record is not None else str(i % 7).encode()
        producer.send(settings.kafka.topic, key=key, value=encoded(record))
    producer.flush()
    producer.close()


def proof(settings: Settings, lake: Path):
    return reconcile(Lake(lake), settings.kafka.topic, end_offsets(settings), RING)


def transfers(first: int, count: int) -> list[object]:
    return [
        gsma(transactionReference=f"T-{i}", creationDate=f"2026-03-27T{i % 24:02}:{i % 60:02}:00Z", amount=str(i + 1))
        for i in range(first, first + count)
    ]


def test_no_record_however_odd_stops_the_stream(topic, tmp_path):
    whole = encoded(gsma(transactionReference="T-0"))
    odd = [
        b'{"amount": "\xff\xfe"}',
        whole[:-30],
        b'{"a":1} junk',
        b"[" + whole + b"]",
        b"x" * 1_000_000,
        gsma(transactionReference="T-long", somethingLong="x" * 1_000_000),
        None,
        b"",
        gsma(transactionReference="T-more", unheardOf={"a": None}),
        dummy(),
        b"\x00" * 100,
        b"[" * 100_000,
    ]
    send(topic, odd)

    run = run_available(topic, tmp_path / "lake")

    assert run.returncode == 0, run.stderr
    result = proof(topic, tmp_path / "lake")
    assert (result.bronze, result.silver, result.quarantine) == (len(odd), 3, len(odd) - 3)
    assert result.is_clean


def test_a_stream_that_is_killed_three_times_loses_and_doubles_nothing(topic, tmp_path):
    lake = tmp_path / "lake"
    for i in range(3):
        send(topic, [*transfers(1000 * i, 1000), *transfers(1000 * i, 50), b"{"])
        with (tmp_path / f"stream-{i}.log").open("w") as log:
            stream = started(submit(topic, lake), log)
            # Killed while a table of this round grows: in the midst of its batches.
            _await_more_rows(Lake(lake), ("bronze_transaction_events", "silver_transactions")[i % 2], stream)
            os.killpg(stream.pid, signal.SIGKILL)
            stream.wait()

    run = run_available(topic, lake)

    assert run.returncode == 0, run.stderr
    result = proof(topic, lake)
    assert (result.bronze, result.silver, result.quarantine, result.repeats) == (3153, 3000, 3, 150)
    assert result.is_clean, result


def _await_more_rows(lake: Lake, table: str, stream: subprocess.Popen[bytes]) -> None:
    """Wait for the next commit of a table; the wait is bounded by the test's own timeout."""
    log = lake.path / table / "_delta_log"
    before = len(list(log.glob("*.json")))
    while len(list(log.glob("*.json"))) <= max(before, 1):
        assert stream.poll() is None, "the stream ended by itself"
        time.sleep(0.05)


def test_a_stream_listens_on_loopback_alone_and_ctrl_c_ends_it_cleanly(topic, tmp_path):
    lake = tmp_path / "lake"
    send(topic, transfers(0, 20))
    with (tmp_path / "stream.log").open("w") as log:
        stream = started(submit(topic, lake), log)
        _await_more_rows(Lake(lake), "silver_transactions", stream)
        listens_on = listening_addresses(stream.pid)
        # As a terminal does it: to the whole group, spark-submit's JVM and its Python alike.
        os.killpg(stream.pid, signal.SIGINT)
        assert stream.wait(timeout=60) == 0

    # The block manager, the driver's port and Python's callback server, at least; other systems than Linux do not tell.
    assert bool(listens_on) == TABLES[0].exists()
    assert [address for address in listens_on if not address.is_loopback] == []
    said = (tmp_path / "stream.log").read_text()
    assert "stopped; the next start goes on from here" in said
    assert "Traceback" not in said


def refusal(command: list[str], **environment: str) -> tuple[int, str]:
    run = subprocess.run(command, env=ENVIRONMENT | environment, capture_output=True, text=True, timeout=120)
    said = run.stdout + run.stderr
    assert "Traceback" not in said
    assert "Exception" not in said
    return run.returncode, said


def test_a_spark_without_our_jars_is_told_what_to_type(topic, tmp_path):
    code, said = refusal(submit(topic, tmp_path / "lake"), SPARK_CONF_DIR=str(tmp_path), PYSPARK_PYTHON=sys.executable)

    assert code == 69
    packages = "io.delta:delta-spark_4.2_2.13:4.4.0,org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0"
    assert f"spark-submit --packages {packages} --properties-file conf/spark-defaults.conf" in said


def test_a_broker_that_is_down_is_named(tmp_path):
    command = [str(SUBMIT), str(STREAM), "--bootstrap", "127.0.0.1:1", "--lake", str(tmp_path / "lake")]
    code, said = refusal(command)

    assert code == 69
    assert "127.0.0.1:1" in said


def test_a_second_stream_on_the_same_lake_is_refused(topic, tmp_path):
    with Lake(tmp_path / "lake").locked("the stream"):
        code, said = refusal(submit(topic, tmp_path / "lake"))

    assert code == 73
    assert "is being written by the stream: stop it first." in said
