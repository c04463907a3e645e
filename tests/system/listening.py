"""Where processes listen, as Linux tells it; nothing on other systems."""

import ipaddress
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENS = "0A"


def listening_addresses(session: int) -> set[Address]:
    """The addresses on which the processes of a session listen."""
    sockets = {name for pid in _processes(session) for name in _sockets(pid)}
    lines = [line.split() for table in TABLES if table.exists() for line in table.read_text().splitlines()[1:]]
    listeners = [(fields[1], fields[9]) for fields in lines if fields[3] == LISTENS]
    return {_address(local) for local, inode in listeners if f"socket:[{inode}]" in sockets}


def _processes(session: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getsid(int(path.name)) == session:
                yield int(path.name)


def _sockets(pid: int) -> Iterator[str]:
    for path in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            yield os.readlink(path)


def _address(written: str) -> Address:
    """`0100007F:1F90`: words of four bytes, each backwards."""
    number = bytes.fromhex(written.partition(":")[0])
    forwards = b"".join(number[i : i + 4][::-1] for i in range(0, len(number), 4))
    address = ipaddress.ip_address(forwards)
    return getattr(address, "ipv4_mapped", None) or address
