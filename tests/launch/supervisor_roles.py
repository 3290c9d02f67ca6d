"""Programs that run behind a supervisor, and one that starts it. They import little, because each is a process."""

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any, Final

from liecbench.launch.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE, Orders
from tests.namespaces import interfaces, network_namespace


def as_role(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.launch.supervisor_roles", name, *arguments]


def _tell(event: dict[str, Any]) -> None:
    with Path(os.environ[EVENTS_VARIABLE]).open("w") as events:
        events.write(json.dumps(event) + "\n")


def _beget() -> None:
    """Descendants that try to stay: one in a session of its own, one orphaned, both deaf to signals."""
    reading, writing = os.pipe()
    for generations in (1, 2):
        child = os.fork()
        if child and generations == 2:
            os.waitpid(child, 0)
        if child == 0:
            os.setsid()
            if generations == 2 and os.fork():
                os._exit(0)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            os.write(writing, b"!")
            while True:
                signal.pause()
    for _ in range(2):
        os.read(reading, 1)


def family() -> None:
    """A command with descendants that stays."""
    _beget()
    _tell({"type": "ready", "pids": [int(e.name) for e in Path("/proc").iterdir() if e.name.isdigit()]})
    while True:
        signal.pause()


def leaver() -> None:
    """A command that ends before its descendants."""
    _beget()
    sys.exit(7)


def lonely() -> None:
    """A command without descendants."""
    _tell({"type": "ready"})
    while True:
        signal.pause()


def loopback() -> None:
    """Report the network that an unshaped launch sees; bind the port that is given."""
    with socket.create_server(("127.0.0.1", int(sys.argv[2]))) as listener:
        with socket.create_connection(listener.getsockname()) as own:
            own.sendall(b"x")
            with listener.accept()[0] as other:
                echoed = other.recv(1) == b"x"
        place = {"interfaces": sorted(interfaces()), "namespace": network_namespace()}
        own_links = os.environ[NAMESPACES_VARIABLE]
        _tell({"type": "loopback", "echoed": echoed, "namespaces": own_links, "pid": os.getpid(), **place})
    sys.stdin.read()


def parent() -> None:
    """Start a supervisor and say so; the event pipe is this process's standard output."""
    events = os.dup(1)
    orders = Orders(parent=os.getpid(), events=events, num_links=int(sys.argv[2]), command=as_role(sys.argv[3]))
    supervisor = Popen(orders.arguments(), pass_fds=(events,), process_group=0)
    with os.fdopen(events, "w") as pipe:
        pipe.write(json.dumps({"type": "supervisor", "pid": supervisor.pid}) + "\n")
    os.close(1)
    while True:
        signal.pause()


_ROLES: Final[dict[str, Callable[[], None]]] = {
    role.__name__: role for role in (family, leaver, lonely, loopback, parent)
}

if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _ROLES[sys.argv[1]]()
