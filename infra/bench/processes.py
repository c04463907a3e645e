"""What processes and the machine have used, from /proc: whole process trees, and who else was busy meanwhile."""

import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import DependencyMissing

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Places in /proc/PID/stat behind the command's name: parent, own user and system time, that of children that ended.
_PARENT, _TIMES = 1, slice(11, 15)


@dataclass(frozen=True)
class MachineTime:
    """Seconds since the machine's start, over all cores: busy, and steal (taken by other guests of the host)."""

    busy: float
    steal: float

    def since(self, earlier: "MachineTime") -> "MachineTime":
        """The seconds between an earlier look and this one."""
        return MachineTime(self.busy - earlier.busy, self.steal - earlier.steal)


def require_proc() -> None:
    """Raise `DependencyMissing` on a system that does not say what processes use."""
    if not Path("/proc/self/stat").exists():
        raise DependencyMissing("There is no /proc here, which tells what processes use: run `momo bench` on Linux.")


def tree_cpu_seconds(pid: int) -> float:
    """CPU seconds, user and system, of a process and all it has started, those that have ended and been reaped too."""
    stats = dict(_all_stats())
    children = defaultdict(list)
    for child, fields in stats.items():
        children[int(fields[_PARENT])].append(child)
    ticks, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        ticks += sum(map(int, stats[one][_TIMES])) if one in stats else 0
        waiting += children[one]
    return ticks / _TICKS_PER_SECOND


def loop_seconds() -> float:
    """How fast one core is now: seconds for ten million additions in a Python loop, the best of three."""
    return min(_one_loop() for _ in range(3))


def machine_time() -> MachineTime:
    """What all cores have done since the machine's start."""
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    values = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    seconds = {name: ticks / _TICKS_PER_SECOND for name, ticks in zip(names, values, strict=False)}
    busy = sum(seconds[name] for name in ("user", "nice", "system", "irq", "softirq"))
    return MachineTime(busy, seconds.get("steal", 0.0))


def _one_loop() -> float:
    began, total = time.perf_counter(), 0
    for number in range(10_000_000):
        total += number
    return time.perf_counter() - began


def _all_stats() -> list[tuple[int, list[str]]]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except OSError:
                # It has ended since the folder was listed.
                continue
            found.append((int(folder.name), text[text.rindex(")") + 2 :].split()))
    return found
