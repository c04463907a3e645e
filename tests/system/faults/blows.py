"""Faults as they come from outside: signals to processes, and files that a crash would not have written."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from jobs.settings import ROOT
from tests.system.faults.points import POINTS, kill_stream_at
from tests.system.faults.rig import ENVIRONMENT, QUERIES, Rig

# Only with a setting of its own is a checkpoint of the log written often enough to be met.
POINTS_MET_BY_CHANCE = [point for point in POINTS if "log" not in point]


@dataclass
class Blows:
    """The faults of a schedule; `kills` counts the processes that were killed."""

    rig: Rig
    random: random.Random
    kills: int = 0

    def all(self) -> list[Callable[[], str]]:
        """Each strikes when it is called, and says in words what it did."""
        return [
            self.kill_the_stream,
            self.kill_the_stream_at_a_point,
            self.kill_the_stream_while_it_recovers,
            self.kill_one_half_of_the_stream,
            self.stop_the_stream,
            self.stall_the_stream,
            self.lose_the_record_of_the_newest_batch,
            self.kill_the_broker,
            self.stall_the_broker,
            self.kill_the_producer,
            self.kill_everything,
            self.kill_maintenance,
        ]

    def kill_the_stream(self) -> str:
        """At any moment."""
        self._sleep(0, 5)
        self._kill_stream()
        return "stream killed"

    def kill_the_stream_at_a_point(self) -> str:
        """Between two writes of a batch."""
        point = self.random.choice(POINTS_MET_BY_CHANCE)
        kill_stream_at(self.rig, point)
        self.kills += 1
        return f"stream killed: {point}"

    def kill_the_stream_while_it_recovers(self) -> str:
        """And once more, a few seconds after it was started again."""
        self._sleep(0, 3)
        self._kill_stream()
        self.rig.start_stream()
        self._sleep(2, 12)
        self._kill_stream()
        return "stream killed, and again while it recovered"

    def kill_one_half_of_the_stream(self) -> str:
        """Java or Python alone; the other half must not stay."""
        self._sleep(0, 4)
        stream, children = self.rig.stream, self.rig.stream_children()
        assert stream is not None
        half = self.random.choice(["Java", "Python"])
        for pid in [stream.pid] if half == "Java" else children:
            os.kill(pid, signal.SIGKILL)
            self.kills += 1
        stream.wait(timeout=30)
        deadline = time.monotonic() + 30
        while any(_is_alive(pid) for pid in children):
            assert time.monotonic() < deadline, f"Python outlives its {half}"
            time.sleep(0.1)
        return f"the stream's {half} killed"

    def stop_the_stream(self) -> str:
        """As an operator stops it."""
        self._sleep(0, 4)
        assert self.rig.stream is not None
        self.rig.stream.send_signal(signal.SIGTERM)
        assert self.rig.stream.wait(timeout=60) == 0, "the stream did not stop cleanly"
        return "stream stopped"

    def stall_the_stream(self) -> str:
        """As a machine that swaps."""
        self._sleep(0, 3)
        self.rig.signal_stream(signal.SIGSTOP)
        self._sleep(2, 6)
        self.rig.signal_stream(signal.SIGCONT)
        return "stream stalled"

    def lose_the_record_of_the_newest_batch(self) -> str:
        """As a kill between the last write of a batch and its record leaves it."""
        self._sleep(0, 3)
        self._kill_stream()
        query = self.random.choice(QUERIES)
        newest = self.rig.newest(query, "commits")
        folder = self.rig.lake / "_checkpoints" / query / "commits"
        for name in (f"{newest}", f".{newest}.crc") if newest >= 0 else ():
            (folder / name).unlink(missing_ok=True)
        return f"record of {query}'s newest batch lost"

    def kill_the_broker(self) -> str:
        """Producer and stream have nobody to talk to for a while."""
        self._sleep(0, 4)
        self._kill_broker()
        self._sleep(0, 4)
        return "broker killed"

    def stall_the_broker(self) -> str:
        """A broker that answers late."""
        self._sleep(0, 2)
        os.kill(self.rig.broker_pid(), signal.SIGSTOP)
        self._sleep(2, 8)
        os.kill(self.rig.broker_pid(), signal.SIGCONT)
        return "broker stalled"

    def kill_the_producer(self) -> str:
        """What it had sent and not noted is sent again."""
        self._sleep(0, 3)
        self._kill_producer()
        return "producer killed"

    def kill_everything(self) -> str:
        """As a machine that goes down, but for its disk's cache."""
        self._sleep(0, 4)
        self._kill_producer()
        self._kill_broker()
        self._kill_stream()
        return "producer, broker and stream killed"

    def kill_maintenance(self) -> str:
        """While it joins files beside the stream."""
        command = [sys.executable, "-m", "jobs.maintain_tables", "--lake", str(self.rig.lake)]
        maintenance = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        self._sleep(0.5, 3)
        maintenance.kill()
        self.kills += maintenance.wait() < 0
        return "maintenance killed"

    def _kill_stream(self) -> None:
        self.rig.kill_stream()
        self.kills += 1

    def _kill_broker(self) -> None:
        os.kill(self.rig.broker_pid(), signal.SIGKILL)
        self.kills += 1

    def _kill_producer(self) -> None:
        assert self.rig.producer is not None
        self.rig.producer.kill()
        self.kills += self.rig.producer.wait() < 0

    def _sleep(self, least: float, most: float) -> None:
        time.sleep(self.random.uniform(least, most))


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
