"""The contestant's side of the benchmark: one process, warm over all rounds, told by lines what to do.

It says `BENCH ready`, reads the path of an empty folder, drains the topic into it, says `BENCH done`, and so on until
its input ends.
"""

import sys
from collections.abc import Callable
from pathlib import Path

READY, DONE, WRITTEN = "BENCH ready", "BENCH done", "BENCH written"


def serve(drain: Callable[[Path], None]) -> None:
    """Drain into each folder that standard input names."""
    say(READY)
    for line in sys.stdin:
        drain(Path(line.rstrip("\n")))
        say(DONE)


def say(line: str) -> None:
    """Say a line of the protocol."""
    # A line of its own, whatever a library has left unfinished on standard output.
    sys.stdout.write(f"\n{line}\n")
    sys.stdout.flush()
