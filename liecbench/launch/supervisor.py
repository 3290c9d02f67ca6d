"""The supervisor of a launch: it enters namespaces, builds the network, and takes all of it down again.

    template ── supervisor ── init (PID 1 of its own PID namespace) ── torchrun's agent ── ranks

Each process asks the kernel to die with its parent, and with PID 1 its whole namespace dies: SIGKILL anywhere leaves
nothing. A supervisor is a fork of the template process, or a process of its own that runs a command. Both have a single
thread, because ``unshare`` refuses more.
"""

import contextlib
import functools
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from liecbench.host import linux

REFUSED_EXIT: Final = 90
NAMESPACES_VARIABLE: Final = "LIECBENCH_NAMESPACES"
# Address of the first of several machines: the ranks use the network that leads to it.
MASTER_VARIABLE: Final = "LIECBENCH_MASTER"
EVENTS_VARIABLE: Final = "LIECBENCH_EVENTS"
_NAMESPACES: Final = linux.CLONE_NEWNET | linux.CLONE_NEWNS | linux.CLONE_NEWPID


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """The surroundings of a launch: ``num_links`` veths, or an unshaped loopback if that is 0.

    Attributes:
        parent: PID of the process that the supervisor dies with.
        events: descriptor of the pipe for events.
        isolate: if false, the launch stays in the machine's own namespaces.
    """

    parent: int
    events: int
    num_links: int
    isolate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders(Isolation):
    """Orders to a supervisor that is a process of its own: the command to run."""

    command: list[str]

    def arguments(self, python: str = sys.executable) -> list[str]:
        """Return the command line of the supervisor; -P keeps the working directory out of its imports."""
        return [python, "-P", "-m", "liecbench.launch.supervisor", json.dumps(asdict(self))]


def main() -> None:
    """Carry out the orders in the first argument; exit as the command does."""
    orders = Orders(**json.loads(sys.argv[1]))
    os.set_inheritable(orders.events, False)
    supervise(orders, functools.partial(_start_command, orders.command))


def supervise(isolation: Isolation, start: Callable[[], int]) -> NoReturn:
    """Make the surroundings, start a process in them, and exit as it does.

    Args:
        isolation: the surroundings.
        start: starts the process, which must die with its parent, and returns its PID; called in init.
    """
    linux.set_process_name("liec-supervisor")
    reason = _enter_namespaces() if isolation.isolate else None
    linux.die_with_parent(isolation.parent)
    if reason:
        _report_refusal(isolation, reason)
    supervisor_end, init_end = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(init_end)
        linux.set_process_name("liec-init")
        linux.die_with_parent()
        if select.select([supervisor_end], [], [], 0)[0]:  # the supervisor ended before the kernel was asked
            os._exit(1)
        _run_init(isolation, start)
    os.close(isolation.events)
    sys.exit(_wait(init))


def _start_command(command: list[str]) -> int:
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        linux.die_with_parent(parent)
        try:
            os.execvp(command[0], command)  # noqa: S606 - no shell is meant
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)
    return child


def _wait(init: int) -> int:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        os.kill(init, signal.SIGKILL)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _, status = os.waitpid(init, 0)
    return _exit_code(status)


def _exit_code(status: int) -> int:
    """Return a process's exit code; like a shell 128 + N if signal N ended it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _enter_namespaces() -> str | None:
    """Enter new namespaces, without privileges in a user namespace; return the reason if the kernel refuses."""
    try:
        linux.unshare(_NAMESPACES)
    except PermissionError:
        user, group = os.getuid(), os.getgid()
        try:
            linux.unshare(linux.CLONE_NEWUSER | _NAMESPACES)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        except OSError as error:
            return str(error)
    except OSError as error:
        return str(error)
    return None


def _report_refusal(isolation: Isolation, reason: str) -> NoReturn:
    from liecbench.launch.channel import send
    from liecbench.launch.messages import Refused

    send(isolation.events, Refused(reason=reason))
    sys.exit(REFUSED_EXIT)


def _run_init(isolation: Isolation, start: Callable[[], int]) -> NoReturn:
    namespaces = _build(isolation) if isolation.isolate else []
    own = f"/proc/{Path('/proc/self').readlink()}/fd"
    os.environ[NAMESPACES_VARIABLE] = ",".join(f"{own}/{descriptor}" for descriptor in namespaces)
    os.environ[EVENTS_VARIABLE] = f"{own}/{isolation.events}"
    sys.exit(_reap(start()))


def _build(isolation: Isolation) -> list[int]:
    from liecbench.network import emulation

    try:
        linux.make_mounts_private()
        # Without a /proc of its own the old one still serves: it shows this process under another number.
        with contextlib.suppress(OSError):
            linux.mount_proc()
        return emulation.build(isolation.num_links)
    except Exception as error:  # pyroute2's errors share no base with OSError
        _report_refusal(isolation, emulation.refusal_reason(error))


def _reap(child: int) -> int:
    """Wait as PID 1 must: for every orphan, until the process that was started ends."""
    while True:
        process, status = os.wait()
        if process == child:
            return _exit_code(status)


if __name__ == "__main__":
    main()
