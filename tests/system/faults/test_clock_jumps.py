"""The clock of the stream's machine is set ahead and back while it works; everything is carried as if it had not been."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.system.faults.cycles import Cycles
from tests.system.faults.invariants import Witness
from tests.system.faults.rig import Rig
from tests.system.faults.traffic import Traffic

HOUR, DAY = 3_600, 86_400

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("cc") is None, reason="a clock that can be set is a few lines of C to compile"),
]


class Clock:
    """A clock that processes can be given in place of the machine's, and that can be set while they run."""

    def __init__(self, folder: Path) -> None:
        self._ahead, self._library = folder / "ahead", folder / "clock.so"
        self.set(0)
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(self._library), str(source)], check=True)

    @property
    def environment(self) -> dict[str, str]:
        """With this a process has it."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_AHEAD": str(self._ahead)}

    def set(self, seconds: int) -> None:
        """So much ahead of the machine's, or behind it; in place, for processes have the file mapped."""
        with self._ahead.open("r+b" if self._ahead.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


def test_a_process_has_the_time_that_its_clock_is_set_to(clock):
    clock.set(DAY)

    day = subprocess.run(["date", "+%s"], env=clock.environment, capture_output=True, check=True)
    today = subprocess.run(["date", "+%s"], capture_output=True, check=True)

    assert 0 <= int(today.stdout) + DAY - int(day.stdout) <= 2


def test_a_clock_that_jumps_loses_and_doubles_nothing(tmp_path, clock):
    rig = Rig.started(tmp_path, stream_environment=clock.environment)
    system = Cycles(rig, Witness(rig), Traffic(seed=5))
    try:
        for ahead in (DAY, 0, -HOUR, 0):
            system.send(600)
            rig.wait_for(lambda: rig.is_at_work("ingest"), 60, "no batch begins")
            clock.set(ahead)
            system.heal()
        assert (tmp_path / "stream.log").read_text().count("The machine's clock was set back") == 2
    finally:
        rig.end()
