"""Network namespaces of processes, as /proc shows them."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path


def network_namespace(pid: int | str = "self") -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def interfaces(pid: int | str = "self") -> set[str]:
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    return {line.partition(":")[0].strip() for line in lines}


def listening_inodes(pid: int | str = "self") -> set[int]:
    """Return the socket inodes in the TCP table of a process's network namespace."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return {int(line.split()[9]) for line in lines}


def socket_inode(listener: socket.socket) -> int:
    return os.fstat(listener.fileno()).st_ino


def all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def namespaces_held(pid: int) -> Iterator[tuple[str, Path]]:
    """Yield each network namespace that a process is in or holds open, with the path in /proc that shows it."""
    with contextlib.suppress(OSError):
        yield network_namespace(pid), Path(f"/proc/{pid}/ns/net")
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if (name := str(descriptor.readlink())).startswith("net:["):
                    yield name, descriptor


def holders(namespaces: set[str]) -> set[int]:
    """Return the pids of other processes that are in these namespaces or hold them open."""
    others = set(all_pids()) - {os.getpid()}
    return {pid for pid in others if any(name in namespaces for name, _ in namespaces_held(pid))}
