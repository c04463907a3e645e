"""The benchmark's own broker, or the one that was named; one benchmark at a time in a folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.bench.bench_topic import bench_settings
from infra.broker import broker_status, start_broker, stop_broker
from infra.ports import free_port_pair
from jobs.errors import TryAgain
from jobs.settings import Settings


@contextmanager
def bench_broker(settings: Settings, folder: Path, is_foreign: bool) -> Iterator[tuple[Settings, int | None]]:
    """The settings of a broker that answers, and its process id, null for a foreign one; ours is stopped at the end.

    Ours keeps its records in `folder` for the next run. Raises `TryAgain` while another benchmark runs there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if is_foreign:
            yield settings, None
            return
        ours = bench_settings(settings, folder, f"127.0.0.1:{free_port_pair()}", "bench")
        if (left_over := broker_status(ours)).running:
            # A benchmark that was killed has left it.
            ours = bench_settings(settings, folder, left_over.address, "bench")
        try:
            yield ours, start_broker(ours)
        finally:
            stop_broker(ours)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "_lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TryAgain(f"Another `momo bench` runs in {folder}: wait for it, or give another --folder.") from None
        yield
