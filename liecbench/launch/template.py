"""The template process: it imports torch once, and the processes of every launch (one torchrun) are forked from it.

Importing torch takes seconds, but a fork of the template has torch already. The template starts no thread and does not
initialise CUDA, because its forks could use neither. It runs in the same Linux namespaces as the ``liecbench`` command
that started it. Each set of environment variables needs a template of its own, because OpenMP reads its variables when
torch is imported.
"""

import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NoReturn

from liecbench.host import linux
from liecbench.launch.channel import decode, send
from liecbench.launch.events import LaunchEnded
from liecbench.launch.orders import Agent, ForkLaunch
from liecbench.launch.supervisor import Isolation, exit_code, supervise

# OpenBLAS starts its threads when numpy is imported, unless it is limited to one.
SINGLE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}
STOP: Final = b"stop"
_LONGEST_ORDER: Final = 2**16
_IMPORTS: Final = ("torch.distributed.launcher.api", "liecbench.launch.agent", "liecbench.network.emulation")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSettings:
    """Settings of a template process.

    Attributes:
        parent: PID of the ``liecbench`` command. When this process dies, the template dies, too.
        control: file descriptor of the socket from which the template receives orders.
        imports: modules to import besides torch.
        restore: environment variables to set for the ranks after the imports; a variable with value None is removed.
    """

    parent: int
    control: int
    imports: tuple[str, ...]
    restore: dict[str, str | None]

    def arguments(self, python: str) -> list[str]:
        """Return the command line that runs the template process with the Python interpreter ``python``."""
        # -P keeps the working directory out of the template's imports.
        return [python, "-P", "-m", "liecbench.launch.template", json.dumps(asdict(self))]


def main() -> None:
    """Import the modules that ranks need, then fork a launch for each order from the ``liecbench`` command.

    Return when the command closes its end of the socket.
    """
    settings = TemplateSettings(**json.loads(sys.argv[1]))
    linux.die_with_parent(settings.parent)
    linux.set_process_name("liec-template")
    gc.disable()  # imports create no garbage, but collections would take a fifth of their time
    for module in (*_IMPORTS, *settings.imports):
        importlib.import_module(module)
    gc.freeze()  # so that collections in the forks do not write to these objects, and their memory remains shared
    gc.enable()
    _check_forkable()
    for name, value in settings.restore.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _Server(socket.socket(fileno=settings.control)).serve()


def _import_kernels(names: tuple[str, ...]) -> None:
    for name in names:
        with contextlib.suppress(Exception):  # the rank that needs the module reports the error
            importlib.import_module(name)
    if names:
        _check_forkable()


def _check_forkable() -> None:
    import torch

    threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    if len(threads) > 1:
        sys.exit(f"importing what ranks need started threads ({', '.join(threads)}), which forks would not have")
    if torch.cuda.is_initialized():
        sys.exit("importing what ranks need initialised CUDA, which forks could not use")


class _Server:
    """The main loop of the template process, which forks launches and reports when they end.

    ``_launches`` has the PID of each launch's supervisor, by the socket on which the launch's end is reported.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._launches: dict[socket.socket, int] = {}
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno())

    def serve(self) -> None:
        """Fork and stop launches on orders from the ``liecbench`` command; report each launch that has ended.

        Return when the command closes its end of the control socket.
        """
        self._control.send(b"ready")
        while True:
            ready, _, _ = select.select([self._control, self._woken, *self._launches], [], [])
            if self._woken in ready:
                self._woken.recv(4096)
            self._answer()
            for answering in self._launches.keys() & set(ready):
                self._stop(answering)
            if self._control in ready and not self._obey():
                return

    def _obey(self) -> bool:
        """Receive an order and fork a launch. Return False if the ``liecbench`` command has closed the socket."""
        order, descriptors, _, _ = socket.recv_fds(self._control, _LONGEST_ORDER, 3)
        if not order:
            return False
        events, log, answering = descriptors
        launch, answer = decode(order, ForkLaunch), socket.socket(fileno=answering)
        _import_kernels(launch.imports)
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            self._forget_launches()
            answer.close()
            os.chdir(launch.directory)
            isolation = Isolation(parent=parent, events=events, num_links=launch.num_links, isolate=launch.isolate)
            _exit_after(functools.partial(_run_launch, isolation, log, launch.agent))
        os.close(events)
        os.close(log)
        self._launches[answer] = child
        return True

    def _forget_launches(self) -> None:
        """In a fork: close the sockets inherited from the template, and restore the default handling of SIGCHLD."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in (self._control, self._wake, self._woken, *self._launches):
            end.close()

    def _stop(self, answering: socket.socket) -> None:
        """Stop the launch that belongs to the socket ``answering``, by a signal to the launch's supervisor.

        The signal is SIGTERM if the ``liecbench`` command has sent ``STOP`` on the socket, and SIGKILL if the command
        has died.
        """
        child = self._launches[answering]
        with contextlib.suppress(OSError):
            asked = answering.recv(len(STOP)) == STOP
            os.kill(child, signal.SIGTERM if asked else signal.SIGKILL)

    def _answer(self) -> None:
        """Send ``LaunchEnded`` to the ``liecbench`` command for each launch that has ended."""
        for answering, child in list(self._launches.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                with contextlib.suppress(OSError):  # the liecbench command may have closed its end of the socket
                    send(answering.fileno(), LaunchEnded(status=exit_code(status)))
                answering.close()
                del self._launches[answering]


def _run_launch(isolation: Isolation, log: int, agent: Agent) -> NoReturn:
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    supervise(isolation, functools.partial(_fork_agent, agent))


def _fork_agent(agent: Agent) -> int:
    from liecbench.launch.agent import run_agent

    parent = os.getpid()
    child = os.fork()
    if child == 0:
        linux.die_with_parent(parent)
        _exit_after(functools.partial(run_agent, agent))
    return child


def _exit_after(action: Callable[[], object]) -> NoReturn:
    """Run ``action`` and end the calling process, which is a fork of the template.

    The exit status is 0 if ``action`` returns. If ``action`` raises SystemExit with an integer, the status is this
    integer. Otherwise the status is 1.
    """
    status = 1
    try:
        action()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        with contextlib.suppress(OSError):  # the log's disk may be full
            traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)  # the fork must not return into the template's own code


if __name__ == "__main__":
    main()
