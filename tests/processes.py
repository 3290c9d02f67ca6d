"""Real processes for tests: started with a mark in their environment, watched and ended through /proc."""

import contextlib
import functools
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import pytest

from liecbench.host import linux
from liecbench.launch.supervisor import Orders
from liecbench.results.ledger import LEDGER_NAME, Epoch, Record, read

ROOT: Final = Path(__file__).parents[1]
SECONDS: Final = 60.0
GONE_SECONDS: Final = 15.0
_MARK: Final = "LIECBENCH_TEST_MARK"
_POLL_SECONDS: Final = 0.02

Value = TypeVar("Value")


def wait_for(condition: Callable[[], Value], what: Callable[[], str] | str, seconds: float = SECONDS) -> Value:
    """Poll until ``condition`` gives something true; ``what`` says what was expected, asked when it failed."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what if isinstance(what, str) else what()}")
        time.sleep(_POLL_SECONDS)
    return value


def network_namespace(pid: int | str = "self") -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def interfaces(pid: int | str = "self") -> set[str]:
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    return {line.partition(":")[0].strip() for line in lines}


def listening_inodes(pid: int | str = "self") -> set[int]:
    """Socket inodes in the TCP table of a process's network namespace."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return {int(line.split()[9]) for line in lines}


def socket_inode(listener: socket.socket) -> int:
    return os.fstat(listener.fileno()).st_ino


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _namespaces_held(pid: int) -> Iterator[tuple[str, Path]]:
    """Network namespaces that a process is in, or holds open, and where."""
    with contextlib.suppress(OSError):
        yield network_namespace(pid), Path(f"/proc/{pid}/ns/net")
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if (name := str(descriptor.readlink())).startswith("net:["):
                    yield name, descriptor


def holders(namespaces: set[str]) -> set[int]:
    """Pids of other processes that are in these namespaces, or hold them open."""
    others = set(_all_pids()) - {os.getpid()}
    return {pid for pid in others if any(name in namespaces for name, _ in _namespaces_held(pid))}


def environment_of(pid: int) -> dict[str, str]:
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


@dataclass(frozen=True, slots=True)
class Tree:
    """Every process that inherited one mark, wherever it is and whoever its parent is now."""

    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    _pins: list[int] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return {**os.environ, _MARK: self.mark, "NO_COLOR": "1", "COLUMNS": "200"}

    def pids(self) -> set[int]:
        return {pid for pid in _all_pids() if environment_of(pid).get(_MARK) == self.mark}

    def describe(self) -> dict[int, str]:
        """Command lines, by pid."""
        lines = {}
        for pid in self.pids():
            with contextlib.suppress(OSError):
                lines[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return lines

    def namespaces(self) -> set[str]:
        """Network namespaces other than this process's that they are in, or hold open.

        Each is held open here, too, until the end: the kernel would give its number to the next one.
        """
        own, held = network_namespace(), set()
        for name, path in itertools.chain.from_iterable(map(_namespaces_held, self.pids())):
            if name != own and name not in held:
                with contextlib.suppress(OSError):
                    self._pins.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                    held.add(f"net:[{os.fstat(self._pins[-1]).st_ino}]")
        return held

    def ranks(self) -> dict[int, int]:
        """Pids of torchrun's workers, by rank."""
        found = {pid: environment_of(pid) for pid in self.pids()}
        return {int(e["LOCAL_RANK"]): pid for pid, e in found.items() if "LOCAL_RANK" in e}

    def assert_gone(self, namespaces: set[str], seconds: float = GONE_SECONDS) -> None:
        wait_for(lambda: not self.pids(), lambda: f"every process ends; {self.describe()} is left", seconds)
        wait_for(
            lambda: not holders(namespaces), lambda: f"{namespaces} vanish; {holders(namespaces)} hold them", seconds
        )

    def end(self) -> None:
        """Clean up: nothing that was started stays, whatever the test found."""
        while self._pins:
            os.close(self._pins.pop())
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.pids(), "processes of this test end")


class Events:
    """Lines of JSON from a pipe, each waited for no longer than a limit."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._buffer = descriptor, b""

    def next(self, seconds: float = SECONDS) -> dict[str, Any] | None:
        """The next event; None once every writer is gone."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                raise AssertionError(f"no event within {seconds} s")
            chunk = os.read(self._descriptor, 2**16)
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event


@dataclass(slots=True)
class Supervised:
    """A running supervisor."""

    tree: Tree
    process: subprocess.Popen[bytes]
    events: Events
    output: IO[bytes]

    def next_event(self, seconds: float = SECONDS) -> dict[str, Any]:
        event = self.events.next(seconds)
        assert event is not None, f"it ended with {self.process.wait(SECONDS)}: {self.printed()}"
        return event

    def go_on(self) -> None:
        """Close the standard input of the command, for which it waits."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def status(self) -> int:
        return self.process.wait(SECONDS)

    def printed(self) -> str:
        self.output.seek(0)
        return self.output.read().decode(errors="replace")


@contextmanager
def supervise(
    command: Sequence[str], num_links: int, *, prefix: Sequence[str] = (), isolate: bool = True
) -> Iterator[Supervised]:
    """A supervisor started as ``launch`` starts it; ``prefix`` is a command that executes it."""
    tree = Tree()
    reading, writing = os.pipe()
    orders = Orders(parent=os.getpid(), events=writing, num_links=num_links, command=list(command), isolate=isolate)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*prefix, *orders.arguments()],
            cwd=ROOT,
            env=tree.environment(),
            pass_fds=(writing,),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        os.close(writing)
        try:
            with process:
                try:
                    yield Supervised(tree, process, Events(reading), output)
                finally:
                    process.kill()
        finally:
            os.close(reading)
            tree.end()


@functools.cache
def _refusal() -> str | None:
    with supervise(["true"], num_links=1) as supervised:
        event = supervised.events.next()
        status = supervised.status()
        return None if status == 0 else f"{event or supervised.printed()}"


def skip_without_namespaces() -> None:
    """Skip the test, with the kernel's reason, where no link can be built."""
    if reason := _refusal():
        pytest.skip(f"the kernel refuses network namespaces: {reason}")


def without_namespaces() -> None:
    """Execute this process's arguments where the kernel makes no network namespace: a limit of its user namespace."""
    user, group = os.getuid(), os.getgid()
    linux.unshare(linux.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    Path("/proc/sys/user/max_net_namespaces").write_text("0")
    os.execv(sys.argv[1], sys.argv[1:])


WITHOUT_NAMESPACES: Final = [sys.executable, "-m", "tests.processes"]


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "liecbench", *arguments]


def run_command(
    tree: Tree, *arguments: str, prefix: Sequence[str] = (), seconds: float = 5 * SECONDS
) -> subprocess.CompletedProcess[str]:
    """A command of liecbench, to its end; ``prefix`` is a command that executes it."""
    try:
        return subprocess.run(
            [*prefix, *command_line(*arguments)],
            cwd=ROOT,
            env=tree.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    finally:
        tree.end()


@dataclass(slots=True)
class Command:
    """A command of liecbench while it runs."""

    tree: Tree
    process: subprocess.Popen[bytes]
    printed: Path

    def wait_for(self, condition: Callable[[], Value], what: str, seconds: float = 4 * SECONDS) -> Value:
        """Poll until ``condition`` holds; fail at once where the command ends first."""

        def holds() -> Value:
            over = self.process.poll() is not None
            value = condition()
            assert value or not over, f"it ended before {what}: {self.stderr()}"
            return value

        return wait_for(holds, lambda: f"{what}; it said: {self.stderr()}", seconds)

    def stderr(self) -> str:
        return self.printed.read_text(errors="replace")


@contextmanager
def running_command(directory: Path, *arguments: str, prefix: Sequence[str] = ()) -> Iterator[Command]:
    """A command of liecbench that the test watches; it ends here if nowhere else."""
    tree = Tree()
    printed = directory / f"stderr-{tree.mark}"
    with printed.open("wb") as stderr:
        process = subprocess.Popen(
            [*prefix, *command_line(*arguments)],
            cwd=ROOT,
            env=tree.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            # A test run in the background of a shell ignores SIGINT, and so would what it starts.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
    try:
        with process:
            try:
                yield Command(tree, process, printed)
            finally:
                process.kill()
    finally:
        tree.end()


def records(directory: Path) -> list[Record]:
    """The ledger as it stands; nothing where there is none yet."""
    return list(read(directory)) if (directory / LEDGER_NAME).exists() else []


def epochs(directory: Path, cell: str | None = None) -> list[Epoch]:
    return [r for r in records(directory) if isinstance(r, Epoch) and cell in (None, r.cell)]


def numbers(epoch: Epoch) -> dict[str, Any]:
    """Everything that another run must repeat to the bit: all but times, memory and headers."""
    left_out = {"attempt", "wire_bytes", "cpu_seconds", "other_cpu_share", "peak_memory_bytes", "gpu", "composed"}
    fields = {name: getattr(epoch, name) for name in Epoch.__slots__ if name not in left_out}
    return {name: value for name, value in fields.items() if not name.endswith("_seconds")}


if __name__ == "__main__":
    without_namespaces()
