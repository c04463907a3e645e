"""The open-loop producer, from the harness's side: templates for it, and its process."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from infra.bench.bench_topic import START
from infra.bench.figures import Floats
from infra.bench.open_loop import REFERENCE, TIME
from infra.bench.peers import is_installed, peers_python
from jobs.errors import DependencyMissing
from jobs.settings import ROOT, Settings
from producers.contract import Contract
from producers.simulation import SimulationPlan, simulate
from producers.wire import RawRecord, WireRecord

TEMPLATES = 2_000
PROGRAM = ROOT / "infra" / "bench" / "open_loop.py"
DATES = ("requestDate", "creationDate", "modificationDate")


@dataclass(frozen=True)
class Production:
    """What was sent: when the first record was due (seconds of the epoch), how many, and the slip of each, seconds."""

    start: float
    sent: int
    slips: Floats


def write_templates(folder: Path) -> None:
    """Simulated events without reference and dates, which the producer fills in."""
    lines = []
    contract = Contract(dummy_time_zone="UTC", record_format="gsma")
    for number, event in enumerate(simulate(SimulationPlan(7, START, hours=1, events=TEMPLATES)), start=1):
        checked = contract.check(RawRecord(number, orjson.dumps(event)))
        if isinstance(checked, WireRecord):
            marks = {"transactionReference": REFERENCE.decode(), **{d: TIME.decode() for d in DATES if d in event}}
            lines.append(b"%b\t%b" % (checked.key or b"", orjson.dumps(event | marks)))
    (folder / "templates").write_bytes(b"\n".join(lines))


def produce(settings: Settings, folder: Path, rate: float, seconds: float) -> Production:
    """Send at the rate for so long, in a process of its own; raises `DependencyMissing` when it did not get through."""
    slips = folder / "slips"
    command = [
        _interpreter(), str(PROGRAM), "--bootstrap", settings.kafka.bootstrap, "--topic", settings.kafka.topic,
        "--rate", str(rate), "--seconds", str(seconds), "--templates", str(folder / "templates"), "--slips", str(slips),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        reason = (run.stderr.strip() or "it said nothing").splitlines()[-1]
        raise DependencyMissing(f"The open-loop producer ended with exit code {run.returncode}: {reason}")
    said = dict(line.split() for line in run.stdout.splitlines())
    return Production(float(said["START"]), int(said["SENT"]), np.fromfile(slips))


def _interpreter() -> str:
    """That of the peers, which has the client that needs less of the machine, where it is set up; else our own."""
    return str(peers_python()) if is_installed() else sys.executable
