"""A contestant's process, as the harness sees it: started once, told a folder a round, measured from go to done."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from infra.bench.contestants.protocol import DONE, READY, WRITTEN
from infra.bench.processes import machine_time, tree_cpu_seconds
from jobs.errors import PlatformError
from jobs.settings import ROOT

# A cold start of Spark and Great Expectations on a machine that others keep busy takes minutes.
LONGEST_START_SECONDS = 600
LONGEST_ROUND_SECONDS = 1800
LONGEST_END_SECONDS = 20


class ContestantFailed(PlatformError):
    """A contestant ended or hung; its log says why."""


@dataclass(frozen=True)
class Cost:
    """What a round took: wall seconds, CPU seconds of the contestant's process tree and of the broker's.

    `load` is the load average of a minute at the start; `others` the cores that everybody else kept busy meanwhile
    (the broker's not counted, null where the broker is not ours), `steal` the share of the machine's time taken by
    other guests of the host.
    """

    seconds: float
    cpu_seconds: float
    broker_cpu_seconds: float | None
    load: float
    others: float | None
    steal: float

    def as_dict(self) -> dict[str, float | None]:
        """For JSON."""
        return {name: None if value is None else round(value, 3) for name, value in asdict(self).items()}


class WarmProcess:
    """A running contestant. Its standard error, and what it prints besides the protocol, is in `log`."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        """Start it; `wait_until_ready` says when it can begin."""
        self.name, self._log = name, log
        # A foreign SPARK_HOME would start another Spark, without our JARs.
        environment = {key: value for key, value in os.environ.items() if key != "SPARK_HOME"}
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, start_new_session=True, text=True, errors="replace",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip

    def wait_until_ready(self) -> None:
        """Wait for its first line; raises `ContestantFailed` when it ends or hangs instead."""
        self._await(READY, LONGEST_START_SECONDS)

    def drain(self, folder: Path, broker_pid: int | None, says_written: bool = False) -> Cost:
        """One round into an empty folder, measured; raises `ContestantFailed` when it ends or hangs."""
        load, machine = os.getloadavg()[0], machine_time()
        cpu, broker_cpu, started = self._cpu(), _cpu_of(broker_pid), time.monotonic()
        self._tell(folder)
        self._await(DONE, LONGEST_ROUND_SECONDS)
        seconds = time.monotonic() - started
        used, broker_used = self._cpu() - cpu, _cpu_of(broker_pid) - broker_cpu
        passed = machine_time().since(machine)
        if says_written:
            self._await(WRITTEN, LONGEST_ROUND_SECONDS)
        return Cost(
            seconds=seconds,
            cpu_seconds=used,
            broker_cpu_seconds=None if broker_pid is None else broker_used,
            load=load,
            others=None if broker_pid is None else max(0.0, passed.busy - used - broker_used) / seconds,
            steal=passed.steal / seconds / (os.cpu_count() or 1),
        )

    def close(self) -> None:
        """End its input, and the process when it does not end by itself."""
        with contextlib.suppress(OSError):
            self._pipe_in.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LONGEST_END_SECONDS)
        self._kill()
        self._process.wait()

    def _tell(self, folder: Path) -> None:
        try:
            self._pipe_in.write(f"{folder}\n")
            self._pipe_in.flush()
        except OSError:
            raise self._failed("has ended") from None

    def _await(self, wanted: str, seconds: float) -> None:
        hung = threading.Timer(seconds, self._kill)
        hung.start()
        try:
            for line in self._pipe_out:
                if line.strip() == wanted:
                    return
        finally:
            is_hung = not hung.is_alive()
            hung.cancel()
        raise self._failed(f"said nothing for {seconds:.0f} s" if is_hung else "has ended")

    def _kill(self) -> None:
        # The group, and with it the JVM that a Python program has started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _failed(self, what: str) -> ContestantFailed:
        return ContestantFailed(f"The contestant {self.name} {what}: read {self._log}.")

    def _cpu(self) -> float:
        return tree_cpu_seconds(self._process.pid)

    @property
    def _pipe_in(self) -> IO[str]:
        assert self._process.stdin
        return self._process.stdin

    @property
    def _pipe_out(self) -> IO[str]:
        assert self._process.stdout
        return self._process.stdout


def _cpu_of(pid: int | None) -> float:
    return 0.0 if pid is None else tree_cpu_seconds(pid)
