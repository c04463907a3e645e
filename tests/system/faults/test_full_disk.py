"""A full disk stops the stream loudly; with room again it goes on, and nothing is lost or doubled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.faults.cycles import Cycles
from tests.system.faults.invariants import Witness
from tests.system.faults.rig import Rig
from tests.system.faults.traffic import Traffic

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is a mounted tmpfs, which takes root"),
]


@contextmanager
def small_disk(folder: Path, size: str = "48m") -> Iterator[None]:
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("where", ["", "_checkpoints"], ids=["the lake", "the checkpoints"])
def test_a_full_disk_stops_the_stream_and_nothing_is_lost(tmp_path, where):
    with small_disk(tmp_path / "lake" / where):
        rig = Rig.started(tmp_path)
        system = Cycles(rig, Witness(rig), Traffic(seed=3))
        try:
            system.send(300)
            system.heal()
            ballast = rig.lake / where / "ballast"
            _fill(ballast)
            system.send(600)
            assert rig.stream is not None
            assert rig.stream.wait(timeout=120) not in (0, -9)
            assert "No space left on device" in (tmp_path / "stream.log").read_text()
            ballast.unlink()
            system.heal()
        finally:
            rig.end()


def test_a_full_disk_of_the_broker_ends_it_and_nothing_acknowledged_is_lost(tmp_path):
    # Kafka sets 20 MB of index aside for each partition.
    with small_disk(tmp_path / "broker", "200m"):
        rig = Rig.started(tmp_path)
        system = Cycles(rig, Witness(rig), Traffic(seed=4))
        try:
            system.send(300)
            system.heal()
            ballast, broker = tmp_path / "broker" / "ballast", rig.broker_pid()
            _fill(ballast)
            rig.produce(system.traffic.lines(600), rate=300)
            rig.wait_for(lambda: _has_ended(broker), 120, "the broker goes on without room")
            ballast.unlink()
            system.heal()
        finally:
            rig.end()


def _has_ended(pid: int) -> bool:
    """Nobody may have asked for its exit code yet."""
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" in status.read_text()


def _fill(ballast: Path) -> None:
    """With a file that leaves no room at all."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"0" * 65536):
                pass
        except OSError:
            return
