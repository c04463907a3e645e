"""Canaries: phone numbers, a name and a key go through the real stream, and are found nowhere but where they belong."""

import base64
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.ports import free_port_pair
from infra.topics import end_offsets
from jobs.key_ring import as_text, new_ring
from jobs.lake import Lake
from jobs.reconciliation import reconcile
from schemas.tables import BRONZE, PER_MINUTE
from tests.builders import agent_cash, gsma
from tests.system.test_stream_on_kafka import STREAM, SUBMIT, send, started

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

PAYER, PAYEE, NAME = "256777999111", "22507799911", "Nakato Grace Canary"
DUMPED = ("environment", "sql?details=true&planDescription=true", "jobs", "stages", "allexecutors")


def records():
    parties = {"debitParty": [{"key": "msisdn", "value": PAYER}], "creditParty": [{"key": "msisdn", "value": PAYEE}]}
    texts = {"descriptionText": NAME, "metadata": [{"key": "payerNote", "value": NAME}]}
    cash = [agent_cash(kind, "AG-1", PAYER, transactionReference=kind) for kind in ("deposit", "withdrawal")]
    named = gsma(transactionReference="named", debitParty=[{"key": "bankaccounttitle", "value": NAME}])
    refused = gsma(transactionReference="refused", amount="-1", **parties, **texts)
    return [gsma(transactionReference="paid", **parties, **texts), *cash, named, refused, f'{{"to": {PAYER}'.encode()]


def test_no_number_no_name_and_no_key_leaves_bronze(topic, tmp_path):
    ring, lake, events = new_ring(), tmp_path / "lake", tmp_path / "events"
    events.mkdir()
    send(topic, records())
    port = free_port_pair()
    conf = {
        # Nothing shortened, nothing compressed: what is there is to be seen.
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events,
        "spark.eventLog.compress": "false",
        "spark.ui.enabled": "true",
        "spark.ui.port": port,
        "spark.sql.codegen.comments": "true",
        "spark.sql.debug.maxToStringFields": "10000",
        "spark.sql.streaming.stateStore.compression.codec": "zstd",
    }
    flags = [part for name, value in conf.items() for part in ("--conf", f"{name}={value}")]
    where = ["--bootstrap", topic.kafka.bootstrap, "--topic", topic.kafka.topic, "--lake", str(lake)]
    with (tmp_path / "stream.log").open("w") as log:
        command = [str(SUBMIT), *flags, str(STREAM), *where]
        stream = started(command, log, MOMO_KEYS=as_text(ring))
        await_gold(Lake(lake), stream)
        shown = dump(port) + command_lines()
        os.killpg(stream.pid, signal.SIGINT)
        assert stream.wait(timeout=60) == 0

    secret = ring.keys["k1"].secret
    key = [
        secret,
        secret.hex().encode(),
        base64.b64encode(secret),
        base64.b32encode(secret),
        str(list(secret)).encode(),
    ]
    canaries = [PAYER.encode(), PAYEE.encode(), NAME.encode(), *key]
    (tmp_path / "shown.txt").write_text(shown)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".crc"]
    holding = {path.relative_to(tmp_path): [c for c in canaries if c in content(path)] for path in files}
    in_bronze = Path("lake") / BRONZE.name

    assert [path for path, held in holding.items() if held and not path.is_relative_to(in_bronze)] == []
    assert {canary for held in holding.values() for canary in held} == set(canaries[:3])
    assert "hmacsha256" in shown.lower()
    assert (lake / BRONZE.name).stat().st_mode & 0o777 == 0o700
    assert reconcile(Lake(lake), topic.kafka.topic, end_offsets(topic), ring).is_clean


def await_gold(lake: Lake, stream: "subprocess.Popen[bytes]") -> None:
    """Wait until gold has counted all; the wait is bounded by the test's own timeout."""
    counted = f"SELECT coalesce(sum(event_count), 0) FROM {PER_MINUTE.name}"
    while lake.open(PER_MINUTE) is None or lake.value(counted) < 4:
        assert stream.poll() is None, "the stream ended by itself"
        time.sleep(0.2)


def dump(port: int) -> str:
    """What the UI tells of the application."""
    server = f"http://127.0.0.1:{port}"
    applications = read(f"{server}/api/v1/applications")
    application = applications.split('"id" : "')[1].split('"')[0]
    pages = [f"{server}/api/v1/applications/{application}/{what}" for what in DUMPED]
    return "\n".join(map(read, [*pages, f"{server}/StreamingQuery/", f"{server}/environment/"]))


def read(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as answer:
        text: str = answer.read().decode()
        return text


def command_lines() -> str:
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            lines.append((process / "cmdline").read_text(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)


def content(path: Path) -> bytes:
    """A file's bytes, and what it says: columns' values, a state's changes."""
    said = b""
    if path.suffix == ".parquet":
        said = str(pq.ParquetFile(path).read().to_pydict()).encode()
    if path.suffix == ".changelog":
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as changes:
            said = changes.read()
    return path.read_bytes() + said
