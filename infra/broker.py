"""The local Kafka broker: one KRaft node on loopback, with its data inside the project folder.

`broker.folder` of the settings holds `kafka-VERSION-CLUSTER/` (the data), `server.properties`, `broker.log` and
`broker.pid`. The address is `kafka.bootstrap`, the controller listens one port above it.
"""

import contextlib
import fcntl
import ipaddress
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.kafka_server import data_folder, kafka_version, launch, write_properties
from infra.topics import cluster_id, create_topic, end_offsets
from jobs import credentials
from jobs.errors import DependencyMissing, SettingsError
from jobs.settings import Settings

__all__ = ["BrokerStatus", "broker_status", "create_topic", "end_offsets", "start_broker", "stop_broker"]

# A start takes 3 s on an idle machine; a log to recover after kill -9, or a busy machine, takes longer.
START_SECONDS = 90
# A clean stop takes about a second; a hung JVM is killed after this.
STOP_SECONDS = 30
RELEASE_SECONDS = 3


@dataclass(frozen=True)
class BrokerStatus:
    """The local broker as it is now; `pid` is null when it does not run, `version` is Kafka's."""

    running: bool
    pid: int | None
    address: str
    version: str
    folder: Path


def start_broker(settings: Settings) -> int:
    """Start the broker, wait until it answers, and give its process id; a broker that runs already is left as it is.

    It outlives the caller and its terminal. Raises `SettingsError` for an address that is not one loopback address, a
    port that another process holds and a folder of another Kafka version, `DependencyMissing` without JARs or Java and
    when the broker does not come up.
    """
    host, port = _loopback_address(settings)
    folder = settings.broker_path
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive(folder):
        data = data_folder(folder)
        cluster = data.name.split("-", 2)[2]
        pid = _running_pid(folder)
        if pid is not None:
            _require_address(folder, f"{host}:{port}")
        # One that was killed a moment ago may look alive, and ends while we wait for its answer.
        if pid is None or not _answers(settings, cluster):
            _require_free_port(host, port)
            _require_free_port(host, port + 1)
            pid = launch(folder, settings.broker.heap, write_properties(folder, data, host, port))
            (folder / "broker.pid").write_text(str(pid))
            if not _answers(settings, cluster):
                raise DependencyMissing(f"The broker ended at its start: {folder / 'broker.log'} says why.")
    return pid


def stop_broker(settings: Settings) -> bool:
    """Stop the broker and wait until its process is gone; false when none ran. Its records stay on disk."""
    folder = settings.broker_path
    if not folder.exists():
        return False
    with _exclusive(folder):
        pid = _running_pid(folder)
        if pid is not None:
            _end_process(pid, folder)
        (folder / "broker.pid").unlink(missing_ok=True)
    return pid is not None


def broker_status(settings: Settings) -> BrokerStatus:
    """The state of the broker in the folder of the settings, told by its process."""
    folder = settings.broker_path
    pid = _running_pid(folder)
    address = settings.kafka.bootstrap if pid is None else _address_in_use(folder)
    return BrokerStatus(pid is not None, pid, address, kafka_version(), folder)


def _answers(settings: Settings, cluster: str) -> bool:
    """Wait until the broker answers; false when its process ends instead."""
    folder = settings.broker_path
    if not _wait_for(lambda: _running_pid(folder) is None or cluster_id(settings) == cluster, START_SECONDS):
        raise DependencyMissing(
            f"The broker does not answer at {settings.kafka.bootstrap}: read {folder / 'broker.log'}, "
            "then `momo broker stop`."
        )
    return _running_pid(folder) is not None


def _require_address(folder: Path, address: str) -> None:
    in_use = _address_in_use(folder)
    if in_use != address:
        raise SettingsError(
            f"The broker of {folder} runs already, at {in_use}, but kafka.bootstrap is {address}: "
            "set it to the first, or stop the broker with `momo broker stop`."
        )


def _address_in_use(folder: Path) -> str:
    found = re.search(r"^listeners=PLAINTEXT://([^,]+)", (folder / "server.properties").read_text(), re.MULTILINE)
    return found.group(1) if found else ""


def _loopback_address(settings: Settings) -> tuple[str, int]:
    bootstrap = settings.kafka.bootstrap
    host, _, port = bootstrap.rpartition(":")
    # On some machines "localhost" is ::1 for Java and 127.0.0.1 for Python.
    host = "127.0.0.1" if host == "localhost" else host
    if "," in bootstrap or not _is_loopback(host) or int(port) >= 65535:
        raise SettingsError(
            f"kafka.bootstrap is '{bootstrap}', but the local broker needs one loopback address with a free port above "
            "it: set it to 127.0.0.1:19092, or do without `momo broker`."
        )
    if credentials.is_needed(settings.kafka):
        raise SettingsError(
            f"kafka.security_protocol is {settings.kafka.security_protocol}, but the local broker asks nobody who he "
            "is: set it to PLAINTEXT, or do without `momo broker`."
        )
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Two starts at once must not make two brokers of one folder; the lock goes with the process that holds it."""
    with (folder / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _running_pid(folder: Path) -> int | None:
    """The recorded process, if it is this folder's broker: after a crash its number may be another program's."""
    try:
        pid = int((folder / "broker.pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if str(folder / "server.properties") in _command_line(pid) else None


def _command_line(pid: int) -> str:
    """The process's command line; empty when it is gone or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True).stdout


def _require_free_port(host: str, port: int) -> None:
    # A broker that was killed a moment ago may still be letting go of its ports.
    if not _wait_for(lambda: _is_free(host, port), RELEASE_SECONDS):
        raise SettingsError(
            f"Port {port} of {host} is held by another program: stop it, or set kafka.bootstrap to another port "
            "(the next one up must be free as well)."
        )


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # As the broker does, so that connections of the last one that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _end_process(pid: int, folder: Path) -> None:
    """Ended means that the port is free: a dying JVM loses its command line first and its sockets last."""
    host, _, port = _address_in_use(folder).rpartition(":")
    for end in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, end)
        if _wait_for(lambda: _running_pid(folder) is None and _is_free(host, int(port)), STOP_SECONDS):
            return


def _wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
