"""Start template processes from the ``liecbench`` command, and order them to fork the processes of launches.

A template process has imported torch, so that its forks start fast; see ``launch.template``. The command starts one
template process for each combination of Python interpreter, environment variables and imported modules.
"""

import atexit
import contextlib
import functools
import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from liecbench.launch.channel import decode, encode
from liecbench.launch.events import LaunchEnded
from liecbench.launch.orders import ForkLaunch
from liecbench.launch.template import SINGLE_THREAD, STOP, TemplateSettings

_MOST_TEMPLATES: Final = 2  # one for A and one for B in a paired comparison
_QUOTED_BYTES: Final = 4000
_templates: Final[dict[object, "Template"]] = {}


class Template:
    """A process that imports torch, is then forked for every launch, and lives until ``close``."""

    def __init__(self, python: str, environment: Mapping[str, str], imports: tuple[str, ...]) -> None:
        self.python = python
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - stays open as long as the process runs
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        settings = TemplateSettings(
            parent=os.getpid(),
            control=theirs.fileno(),
            imports=imports,
            restore={name: environment.get(name) for name in SINGLE_THREAD},
        )
        try:
            with theirs:
                self._process = subprocess.Popen(
                    settings.arguments(python),
                    stdin=subprocess.DEVNULL,
                    stdout=self._output,
                    stderr=subprocess.STDOUT,
                    pass_fds=(theirs.fileno(),),
                    process_group=0,  # so that a Ctrl-C in the terminal interrupts the liecbench command only
                    env={**environment, **SINGLE_THREAD},
                )
        except BaseException:
            self.control.close()
            self._output.close()
            raise
        self.num_launches = 0

    @property
    def pid(self) -> int:
        """PID of the template process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """True until the template process has ended."""
        return self._process.poll() is None

    def is_ready(self) -> bool:
        """Return whether the process has finished its imports and receives orders."""
        if not select.select([self.control], [], [], 0)[0]:
            return False
        try:
            return self.control.recv(16, socket.MSG_PEEK) == b"ready"
        except ConnectionResetError:  # it died before it received an order
            return False

    def death(self) -> str:
        """Wait for the process to end. Return a line that says how it ended and, below this line, its output."""
        status = self._process.wait()
        printed = ""
        if not self._output.closed:
            self._output.seek(0)
            printed = self._output.read()[-_QUOTED_BYTES:].decode(errors="replace").rstrip()
        return f"the process that ranks are forked from ({self.python}) ended with status {status}\n{printed}".rstrip()

    def close(self) -> None:
        """Kill the process. Every launch that was forked from it dies, too."""
        self._process.kill()
        self._process.wait()
        self.control.close()
        self._output.close()


# With DETAIL, torch wraps process groups in one that checks every collective; it crashes if threads send, as ours do.
_NOT_INHERITED: Final = ("TORCH_DISTRIBUTED_DEBUG",)


@functools.cache
def _inherited() -> dict[str, str]:
    """Return the environment variables that ranks inherit, as they were at the first call.

    A later import of torch in this process adds variables to ``os.environ``, which the ranks must not inherit.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    # Logs are UTF-8 whatever the locale, so that a model may print any character.
    return {**kept, "PYTHONIOENCODING": "utf-8"}


def not_inherited() -> str:
    """Return a sentence that names each environment variable of this process that ranks do not inherit.

    Return an empty string if there is no such variable.
    """
    names = " and ".join(name for name in _NOT_INHERITED if name in os.environ)
    return f"{names} is not set for the workers, because its checks change times" if names else ""


def template_of(python: str, variables: Mapping[str, str], imports: tuple[str, ...]) -> Template:
    """Return the template process for these arguments, from which launches can be forked.

    The process is started if there is none.

    Args:
        python: The path of the Python interpreter that runs the process.
        variables: The environment variables of the process, in addition to those of the ``liecbench`` command.
        imports: The names of the modules that the process imports besides torch.
    """
    key = (python, tuple(sorted(variables.items())), imports)
    found = _templates.pop(key, None)
    if found is not None and not found.is_alive:
        found.close()
        found = None
    idle = [key for key, template in _templates.items() if not template.num_launches]
    while idle and len(_templates) >= _MOST_TEMPLATES:
        _templates.pop(idle.pop(0)).close()
    _templates[key] = found or Template(python, {**_inherited(), **variables}, imports)
    return _templates[key]


@atexit.register
def _close_templates() -> None:
    while _templates:
        _templates.popitem()[1].close()


class ForkedLaunch:
    """A launch that a template process forks: a supervisor, torchrun's agent and the ranks.

    The launch starts quickly, because the template process has already imported torch.

    Args:
        template: The template process.
        order: The order to fork the launch, which is sent to ``template``.
        events: The file descriptor of the pipe to which the launch writes its events.
        log: The path of the file to which the launch writes its output.
    """

    def __init__(self, template: Template, order: ForkLaunch, events: int, log: Path) -> None:
        self._template, self._log = template, log
        self._answer, theirs = socket.socketpair()
        self._status: int | None = None
        with theirs, log.open("wb") as output:
            try:
                socket.send_fds(template.control, [encode(order).encode()], [events, output.fileno(), theirs.fileno()])
            except OSError:
                self._template_died()
        template.num_launches += 1

    def wait(self) -> int:
        """Wait until every process of the launch has ended, and return the exit status of torchrun's agent.

        If the template process dies, the launch has died with it, and the status is 1.
        """
        status = self._wait(None)
        assert status is not None, "without a timeout the wait ends with a status"
        return status

    def _wait(self, seconds: float | None) -> int | None:
        """Wait for the launch to end and return its exit status; return None if it takes longer than ``seconds``."""
        if self._status is None and select.select([self._answer], [], [], seconds)[0]:
            line = self._received()
            if line:
                self._status = decode(line, LaunchEnded).status
            else:
                self._template_died()
        return self._status

    def stop(self, seconds: float) -> None:
        """End every process of the launch: by SIGTERM, and if that takes longer than ``seconds``, by SIGKILL.

        SIGKILL also ends all other launches that were forked from the same template process. It is sent at once if the
        template process still imports modules.
        """
        if self._wait(0) is not None:
            return
        if self._template.is_ready():
            with contextlib.suppress(OSError):  # the launch has just ended by itself
                self._answer.send(STOP)
            if self._wait(seconds) is not None:
                return
        self._template.close()
        self._status = 128 + 9

    def close(self, seconds: float) -> None:
        """End the launch if it still runs, as ``stop(seconds)`` does, and close the launch's socket."""
        self.stop(seconds)
        self._answer.close()
        self._template.num_launches -= 1

    def _received(self) -> bytes:
        try:
            return self._answer.recv(4096)
        except ConnectionResetError:
            return b""

    def _template_died(self) -> None:
        """Set the exit status to 1, and write to the log how the template process ended."""
        self._status = 1
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{self._template.death()}\n")
