"""Between the command and torchrun: enter the namespaces, build the network, take all of it down again.

    command ── supervisor ── init (PID 1 of its own PID namespace) ── torchrun ── ranks

Each asks the kernel to die with its parent, and with PID 1 its whole namespace dies: SIGKILL anywhere leaves nothing.
The process stays single-threaded and imports neither torch nor numpy, because ``unshare`` refuses threads.
"""

import contextlib
import functools
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from liecbench.host import linux

REFUSED_EXIT: Final = 90
NAMESPACES_VARIABLE: Final = "LIECBENCH_NAMESPACES"
# The first of several machines, whose network the ranks take.
MASTER_VARIABLE: Final = "LIECBENCH_MASTER"
EVENTS_VARIABLE: Final = "LIECBENCH_EVENTS"
_NAMESPACES: Final = linux.CLONE_NEWNET | linux.CLONE_NEWNS | linux.CLONE_NEWPID


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a supervisor is told: ``num_links`` veths (0: an unshaped loopback), and what to run behind them.

    Without ``isolate`` the command runs on the machine's own loopback, in no namespace of its own.
    """

    parent: int
    events: int
    num_links: int
    command: list[str]
    isolate: bool = True

    def arguments(self, python: str = sys.executable) -> list[str]:
        """The command line of the supervisor; -P keeps the working directory out of its imports."""
        return [python, "-P", "-m", "liecbench.launch.supervisor", json.dumps(asdict(self))]


def main() -> None:
    """Carry out the orders in the first argument; exits as torchrun does."""
    orders = Orders(**json.loads(sys.argv[1]))
    refusal = _enter_namespaces() if orders.isolate else None
    linux.die_with_parent(orders.parent)
    if refusal:
        _report_refusal(orders, refusal)
    alive, holds_alive = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(holds_alive)
        linux.die_with_parent()
        if select.select([alive], [], [], 0)[0]:  # the supervisor was gone before the kernel was asked
            os._exit(1)
        _run_init(orders)
    os.close(orders.events)
    sys.exit(_wait(init))


def _wait(init: int) -> int:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        os.kill(init, signal.SIGKILL)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _, status = os.waitpid(init, 0)
    return _exit_code(status)


def _exit_code(status: int) -> int:
    """A process's exit code, 128 + N where signal N ended it, as shells have it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _enter_namespaces() -> str | None:
    """None, or why the kernel refused; with privileges directly, without them in a user namespace."""
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


def _report_refusal(orders: Orders, reason: str) -> NoReturn:
    os.write(orders.events, json.dumps({"type": "refused", "reason": reason}).encode() + b"\n")
    sys.exit(REFUSED_EXIT)


def _run_init(orders: Orders) -> NoReturn:
    namespaces = _build(orders) if orders.isolate else []
    own = f"/proc/{Path('/proc/self').readlink()}/fd"
    os.environ[NAMESPACES_VARIABLE] = ",".join(f"{own}/{descriptor}" for descriptor in namespaces)
    os.environ[EVENTS_VARIABLE] = f"{own}/{orders.events}"
    die = functools.partial(linux.die_with_parent, os.getpid())
    torchrun = subprocess.Popen(orders.command, preexec_fn=die)
    sys.exit(_reap(torchrun.pid))


def _build(orders: Orders) -> list[int]:
    from liecbench.network import emulation

    try:
        linux.make_mounts_private()
        # Without a /proc of its own the old one still serves: it shows this process under another number.
        with contextlib.suppress(OSError):
            linux.mount_proc()
        return emulation.build(orders.num_links)
    except Exception as error:  # pyroute2's errors share no base with OSError
        _report_refusal(orders, emulation.refusal_reason(error))


def _reap(torchrun: int) -> int:
    """Wait as PID 1 must: for every orphan, until torchrun itself ends."""
    while True:
        process, status = os.wait()
        if process == torchrun:
            return _exit_code(status)


if __name__ == "__main__":
    main()
