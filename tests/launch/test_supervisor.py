"""The supervisor with real commands: tests/launch/supervisor_roles.py."""

import errno
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from liecbench.launch.supervisor import REFUSED_EXIT
from tests.launch.supervisor_roles import as_role
from tests.namespace_support import WITHOUT_NAMESPACES, skip_without_namespaces
from tests.namespaces import holders, network_namespace
from tests.process_tree import ROOT, Tree
from tests.supervised import Events, Supervised, supervise
from tests.waiting import TIMEOUT_SECONDS, wait_for


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    skip_without_namespaces()


@contextmanager
def _started_by_a_parent(num_links: int, command: str) -> Iterator[tuple[Tree, Popen[bytes], int]]:
    """The tree of parent, supervisor, init and command, once the command is ready; and the supervisor's pid."""
    tree = Tree()
    process = Popen(as_role("parent", str(num_links), command), cwd=ROOT, env=tree.environment(), stdout=PIPE)
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
    with supervise(as_role("leaver"), 1) as supervised:
        assert supervised.status() == 7
        supervised.tree.assert_gone(set())


def test_command_sees_a_process_namespace_of_its_own() -> None:
    with supervise(as_role("family"), 0) as supervised:
        assert len(supervised.next_event()["pids"]) == 4  # init, the command, its two descendants


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("num_links", [0, 2])
def test_signal_to_the_supervisor_ends_everything(number: signal.Signals, num_links: int) -> None:
    with supervise(as_role("family"), num_links) as supervised:
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
    with supervise(as_role("family"), 0) as supervised:
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
        with supervise(as_role("loopback", port), 0) as supervised:
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
    with supervise(as_role("loopback", "0"), 0, prefix=WITHOUT_NAMESPACES, isolate=False) as supervised:
        assert supervised.next_event()["namespace"] == network_namespace()
        supervised.go_on()
        assert supervised.status() == 0


def test_without_isolation_the_exit_status_is_the_commands() -> None:
    with supervise(["sh", "-c", "exit 7"], 0, prefix=WITHOUT_NAMESPACES, isolate=False) as supervised:
        assert supervised.events.next() is None
        assert supervised.status() == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_without_isolation_the_command_ends_with_the_supervisor(number: signal.Signals) -> None:
    with supervise(as_role("lonely"), 0, isolate=False) as supervised:
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
