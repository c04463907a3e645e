"""Backfills, one after another, beside a stream that writes, corrects and forgets: nothing is lost, nothing comes twice."""

import itertools
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from jobs.lake import Lake
from jobs.settings import ROOT, Settings
from tests.builders import gsma
from tests.system.test_stream_on_kafka import (
    ENVIRONMENT,
    SUBMIT,
    proof,
    run_available,
    send,
    started,
    submit,
    transfers,
)

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(900)]

BACKFILL = ROOT / "jobs" / "backfill_transactions.py"
DAY = ("--from", "2026-03-27", "--to", "2026-03-28")
ROUND, ROUNDS = 600, 6
# Keys of two batches: a repeat of two rounds ago comes too late to be known.
FORGETFUL = "[kafka]\nmax_offsets_per_trigger = 300\n\n[stream]\ndedup_keys = 600\n"


def backfill(lake: Path, *flags: str) -> dict[str, int]:
    """A run of the program: what it changed, added, removed and left in all tables."""
    command = [str(SUBMIT), str(BACKFILL), "--lake", str(lake), *DAY, "--json", *flags]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    tables = json.loads(run.stdout.splitlines()[-1])["tables"]
    return {name: sum(one[name] for one in tables) for name in ("changed", "added", "removed", "left")}


def traffic(settings: Settings, lake: Lake, may_end: threading.Event) -> None:
    """New transactions of all hours, so that most are late, and some of two rounds ago once more, until it may end.

    A round begins when the one before is in bronze.
    """
    sent = ROUND
    for i in itertools.count(1):
        if may_end.is_set() and i > ROUNDS:
            return
        records = [*transfers(i * ROUND, ROUND), *transfers(max(0, i - 2) * ROUND, 20), b"{"]
        send(settings, records)
        sent += len(records)
        while lake.value("SELECT count(*) FROM bronze_transaction_events") < sent:
            time.sleep(0.2)


def test_backfills_beside_a_busy_stream_lose_and_double_nothing(topic, tmp_path):
    lake, conf = tmp_path / "lake", tmp_path / "pipeline.toml"
    conf.write_text(FORGETFUL)
    send(topic, transfers(0, ROUND))
    assert run_available(topic, lake).returncode == 0
    may_end = threading.Event()
    sending = threading.Thread(target=traffic, args=(topic, Lake(lake), may_end), daemon=True)
    removed = 0
    with (tmp_path / "stream.log").open("w") as log:
        stream = started([*submit(topic, lake), "--conf-file", str(conf)], log)
        sending.start()
        for flags in ((), ("--tables", "silver"), (), ("--tables", "gold_corridor_hourly")):
            removed += backfill(lake, *flags)["removed"]
        may_end.set()
        sending.join()
        os.killpg(stream.pid, signal.SIGTERM)
        assert stream.wait(timeout=120) == 0

    # What is left to the stream is so until it has carried something later.
    send(topic, [gsma(transactionReference="last", creationDate="2026-03-28T01:00:00Z")])
    assert run_available(topic, lake).returncode == 0
    removed += backfill(lake)["removed"]

    result = proof(topic, lake)
    assert result.is_clean, result
    assert removed > 0
    assert backfill(lake) == {"changed": 0, "added": 0, "removed": 0, "left": 0}
    assert result.silver == Lake(lake).value("SELECT count(DISTINCT transaction_reference) FROM silver_transactions")
