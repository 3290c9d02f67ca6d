"""The supervisor of a launch (one torchrun): it enters new Linux namespaces, and starts the launch's processes in them.

    template ── supervisor ── init (PID 1 of its own PID namespace) ── torchrun's agent ── ranks

If the launch has shaped links, the supervisor creates these in its network namespace. If any process of this chain is
killed, even by SIGKILL, the kernel kills all processes to its right. A supervisor is usually a fork of the template
process, which has imported torch for all launches. It can also be a process of its own, which ``main`` starts. In both
cases it has a single thread, because ``unshare`` refuses a process with several.
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
from typing import TYPE_CHECKING, Final, NoReturn

from liecbench.host import linux

if TYPE_CHECKING:
    from liecbench.network.hub import Hub

REFUSED_EXIT: Final = 90
_FAILED_EXIT: Final = 1
NAMESPACES_VARIABLE: Final = "LIECBENCH_NAMESPACES"
# This variable has the address of the first of several machines. Ranks use the network interface that leads to it.
MASTER_VARIABLE: Final = "LIECBENCH_MASTER"
EVENTS_VARIABLE: Final = "LIECBENCH_EVENTS"
_NAMESPACES: Final = linux.CLONE_NEWNET | linux.CLONE_NEWNS | linux.CLONE_NEWPID


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """Settings of the namespaces and the network that a supervisor creates for a launch.

    Attributes:
        parent: PID of the supervisor's parent. When the parent dies, the kernel kills the supervisor.
        events: file descriptor of the write end of the pipe for events.
        num_links: the number of virtual Ethernet links, one per rank; if 0, the ranks use the loopback.
        isolate: if false, the supervisor creates nothing, and the launch stays in the machine's own namespaces.
    """

    parent: int
    events: int
    num_links: int
    isolate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders(Isolation):
    """Settings of a supervisor that runs as a process of its own.

    Attributes:
        command: The command that the supervisor starts for the launch: a program and its arguments.
    """

    command: list[str]

    def arguments(self, python: str = sys.executable) -> list[str]:
        """Return the command line that runs the supervisor with the interpreter ``python``."""
        # -P keeps the working directory out of the supervisor's imports.
        return [python, "-P", "-m", "liecbench.launch.supervisor", json.dumps(asdict(self))]


def main() -> None:
    """Read the ``Orders`` from ``sys.argv[1]`` as JSON, run their command, and exit with the command's status."""
    orders = Orders(**json.loads(sys.argv[1]))
    os.set_inheritable(orders.events, False)
    supervise(orders, functools.partial(_start_command, orders.command))


def supervise(isolation: Isolation, start: Callable[[], int]) -> NoReturn:
    """Create the namespaces and the network, start a process in them, and exit with that process's status.

    If the namespaces or the network cannot be created, send the event ``Refused`` and exit with ``REFUSED_EXIT``.

    Args:
        isolation: Settings of the namespaces and the network.
        start: Starts the process and returns its PID. The process must die when its parent dies. ``start`` is called
            in the init process, PID 1 of the new PID namespace.
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
        if select.select([supervisor_end], [], [], 0)[0]:  # the supervisor had ended before the call of die_with_parent
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
    return exit_code(status)


def exit_code(status: int) -> int:
    """Convert the status from ``os.waitpid`` to an exit code, which is 128 + N if signal N ended the process."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _enter_namespaces() -> str | None:
    """Enter new network and mount namespaces, and create a PID namespace that later child processes enter.

    An unprivileged process also enters a new user namespace. Return None on success, and the error message if the
    kernel refuses.
    """
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
    from liecbench.launch.events import Refused

    send(isolation.events, Refused(reason=reason))
    sys.exit(REFUSED_EXIT)


def _run_init(isolation: Isolation, start: Callable[[], int]) -> NoReturn:
    network = _build(isolation) if isolation.isolate else None
    delay_line = None if network is None else _start_delay_line(network, isolation.events)
    own = f"/proc/{Path('/proc/self').readlink()}/fd"
    namespaces = () if network is None else network.namespaces
    os.environ[NAMESPACES_VARIABLE] = ",".join(f"{own}/{descriptor}" for descriptor in namespaces)
    os.environ[EVENTS_VARIABLE] = f"{own}/{isolation.events}"
    sys.exit(_reap(start(), delay_line))


def _build(isolation: Isolation) -> "Hub | None":
    """Set up this process's namespaces, and build and return the launch's network; None if the launch has no links."""
    from liecbench.network import hub

    try:
        linux.make_mounts_private()
        # If /proc cannot be mounted, the machine's own serves as well: it shows this process under its outer PID.
        with contextlib.suppress(OSError):
            linux.mount_proc()
        if isolation.num_links == 0:
            hub.set_loopback_up()
            return None
        return hub.build(isolation.num_links)
    except Exception as error:  # pyroute2's errors share no base with OSError
        _report_refusal(isolation, hub.refusal_reason(error))


def _start_delay_line(network: "Hub", events: int) -> int:
    """Start the delay line, which is the process that delays the network's frames, and return its PID.

    If there are more cores than threads of all ranks, one core is reserved for the delay line.

    Args:
        network: The network of the launch.
        events: File descriptor of the pipe for events. The delay line closes its copy of the descriptor.
    """
    from liecbench.network import delay_line_process

    cores = sorted(os.sched_getaffinity(0))
    threads = len(network.namespaces) * int(os.environ.get("OMP_NUM_THREADS", "1"))
    own = cores.pop() if len(cores) > threads else None
    started = delay_line_process.start(network, own, unused=(events,))
    if own is not None:
        os.sched_setaffinity(0, cores)
    return started


def _reap(child: int, delay_line: int | None) -> int:
    """Wait until the process ``child`` ends, and return its exit code. As PID 1 must, also reap orphaned processes.

    If the process ``delay_line`` ends first, return an exit code for failure immediately, because the ranks can no
    longer reach each other.
    """
    while True:
        process, status = os.wait()
        if process == child:
            return exit_code(status)
        if process == delay_line:
            print(f"the delay line, which emulates the links, ended with status {exit_code(status)}", file=sys.stderr)
            return _FAILED_EXIT


if __name__ == "__main__":
    main()
