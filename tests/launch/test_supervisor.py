"""The supervisor with real commands. The module is also what runs behind it, and what starts it: see ``_ROLES``."""

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, Final

import pytest

from liecbench.launch.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE, REFUSED_EXIT, Orders
from tests.namespace_support import WITHOUT_NAMESPACES, skip_without_namespaces
from tests.namespaces import holders, interfaces, network_namespace
from tests.process_tree import ROOT, Tree
from tests.supervised import Events, Supervised, supervise
from tests.waiting import TIMEOUT_SECONDS, wait_for


def _as_role(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.launch.test_supervisor", name, *arguments]


# ---- behind the supervisor, or above it


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
    """What the network looks like from behind an unshaped launch; binds the port that it is given."""
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
    orders = Orders(parent=os.getpid(), events=events, num_links=int(sys.argv[2]), command=_as_role(sys.argv[3]))
    supervisor = Popen(orders.arguments(), pass_fds=(events,), process_group=0)
    with os.fdopen(events, "w") as pipe:
        pipe.write(json.dumps({"type": "supervisor", "pid": supervisor.pid}) + "\n")
    os.close(1)
    while True:
        signal.pause()


_ROLES: Final[dict[str, Callable[[], None]]] = {
    role.__name__: role for role in (family, leaver, lonely, loopback, parent)
}

# ---- in front of it


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    skip_without_namespaces()


@contextmanager
def _started_by_a_parent(num_links: int, command: str) -> Iterator[tuple[Tree, Popen[bytes], int]]:
    """The tree of parent, supervisor, init and command, once the command is ready; and the supervisor's pid."""
    tree = Tree()
    process = Popen(_as_role("parent", str(num_links), command), cwd=ROOT, env=tree.environment(), stdout=PIPE)
    try:
        with process:
            assert process.stdout is not None
            events = Events(process.stdout.fileno())
            first, second = events.next(), events.next()
            assert first is not None
            assert second is not None
            ready = [first, second]  # in either order
            supervisor = next(event["pid"] for event in ready if event["type"] == "supervisor")
            try:
                yield tree, process, supervisor
            finally:
                process.kill()
    finally:
        tree.end()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _killed(supervised: Supervised, number: signal.Signals) -> set[str]:
    """Signal a supervisor whose command is ready; the namespaces that there were."""
    supervised.next_event()
    namespaces = supervised.tree.namespaces()
    supervised.process.send_signal(number)
    return namespaces


@pytest.mark.parametrize("num_links", [0, 1])
@pytest.mark.parametrize("status", [0, 1, 42])
def test_exit_status_is_the_commands(status: int, num_links: int) -> None:
    with supervise(["sh", "-c", f"exit {status}"], num_links) as supervised:
        assert supervised.status() == status


def test_death_of_the_command_by_a_signal_is_a_failure() -> None:
    with supervise(["sh", "-c", "kill -9 $$"], 0) as supervised:
        assert supervised.status() == 128 + signal.SIGKILL


def test_command_that_does_not_exist_is_a_failure() -> None:
    with supervise(["/nonexistent/command"], 0) as supervised:
        assert supervised.status() not in (0, REFUSED_EXIT)
        assert "/nonexistent/command" in supervised.printed()


def test_processes_of_a_command_end_with_it() -> None:
    with supervise(_as_role("leaver"), 1) as supervised:
        assert supervised.status() == 7
        supervised.tree.assert_gone(set())


def test_command_sees_a_process_namespace_of_its_own() -> None:
    with supervise(_as_role("family"), 0) as supervised:
        assert len(supervised.next_event()["pids"]) == 4  # init, the command, its two descendants


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("num_links", [0, 2])
def test_signal_to_the_supervisor_ends_everything(number: signal.Signals, num_links: int) -> None:
    with supervise(_as_role("family"), num_links) as supervised:
        namespaces = _killed(supervised, number)
        assert len(namespaces) == 1 + num_links
        supervised.tree.assert_gone(namespaces)
        assert supervised.status() != 0


@pytest.mark.parametrize("victim", ["parent", "supervisor", "init", "command"])
@pytest.mark.parametrize("num_links", [0, 2])
def test_sigkill_leaves_no_process_and_no_namespace(victim: str, num_links: int) -> None:
    with _started_by_a_parent(num_links, "family") as (tree, parent_process, supervisor):
        (init,) = _children(supervisor)
        command = max(_children(init), key=lambda pid: len(_children(pid)))
        pids = {"parent": parent_process.pid, "supervisor": supervisor, "init": init, "command": command}
        assert len(set(pids.values())) == 4
        namespaces = tree.namespaces()
        assert len(namespaces) == 1 + num_links
        assert holders(namespaces) >= {init, command}
        os.kill(pids[victim], signal.SIGKILL)
        if victim != "parent":  # which lives on, and has no business with what is below
            wait_for(lambda: tree.pids() <= {parent_process.pid}, lambda: f"all but the parent end: {tree.describe()}")
            parent_process.kill()
        parent_process.wait(TIMEOUT_SECONDS)
        tree.assert_gone(namespaces)


def test_sigkill_of_a_grandchild_is_the_commands_business() -> None:
    with supervise(_as_role("family"), 0) as supervised:
        supervised.next_event()
        before = supervised.tree.pids()
        (init,) = _children(supervised.process.pid)
        orphan = min(_children(init), key=lambda pid: len(_children(pid)))
        os.kill(orphan, signal.SIGKILL)
        wait_for(lambda: supervised.tree.pids() == before - {orphan}, "the grandchild alone ends, and is reaped")
        wait_for(lambda: not Path(f"/proc/{orphan}").exists(), "init reaps the orphan")
        assert supervised.process.poll() is None
        supervised.process.terminate()
        supervised.tree.assert_gone(set())


def test_unshaped_launch_has_a_loopback_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = str(outside.getsockname()[1])  # taken here, free there
        with supervise(_as_role("loopback", port), 0) as supervised:
            place = supervised.next_event()
            assert place["echoed"]
            assert place["interfaces"] == ["lo"]
            assert place["namespace"] != network_namespace()
            assert place["namespaces"] == ""
            supervised.go_on()
            assert supervised.status() == 0


@pytest.mark.parametrize("num_links", [0, 2])
def test_refused_namespaces_are_reported(num_links: int) -> None:
    with supervise(["true"], num_links, prefix=WITHOUT_NAMESPACES) as supervised:
        event = supervised.next_event()
        assert event["type"] == "refused"
        assert os.strerror(errno.ENOSPC) in event["reason"]
        assert supervised.events.next() is None
        assert supervised.status() == REFUSED_EXIT


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit (util-linux) is not installed")
def test_refused_links_are_reported() -> None:
    with supervise(["true"], 10_000_000, prefix=["prlimit", "--nofile=64"]) as supervised:
        event = supervised.next_event()
        assert event["type"] == "refused"
        assert os.strerror(errno.EMFILE) in event["reason"]
        assert supervised.status() == REFUSED_EXIT


def test_without_isolation_the_command_stays_where_it_is() -> None:
    with supervise(_as_role("loopback", "0"), 0, prefix=WITHOUT_NAMESPACES, isolate=False) as supervised:
        assert supervised.next_event()["namespace"] == network_namespace()
        supervised.go_on()
        assert supervised.status() == 0


def test_without_isolation_the_exit_status_is_the_commands() -> None:
    with supervise(["sh", "-c", "exit 7"], 0, prefix=WITHOUT_NAMESPACES, isolate=False) as supervised:
        assert supervised.events.next() is None
        assert supervised.status() == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_without_isolation_the_command_ends_with_the_supervisor(number: signal.Signals) -> None:
    with supervise(_as_role("lonely"), 0, isolate=False) as supervised:
        supervised.next_event()
        assert len(supervised.tree.pids()) == 3
        supervised.process.send_signal(number)
        supervised.tree.assert_gone(set())
        assert supervised.status() != 0


def test_the_machines_limit_of_namespaces_does_not_change() -> None:
    limit = Path("/proc/sys/user/max_net_namespaces")
    before = limit.read_text()
    with supervise(["true"], 0, prefix=WITHOUT_NAMESPACES, isolate=False) as supervised:
        assert supervised.status() == 0
    assert limit.read_text() == before


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _ROLES[sys.argv[1]]()
