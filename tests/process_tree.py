"""The processes that a test starts: found, watched and ended through /proc."""

import contextlib
import itertools
import os
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.namespaces import all_pids, holders, namespaces_held, network_namespace
from tests.waiting import wait_for

ROOT: Final = Path(__file__).parents[1]
GONE_SECONDS: Final = 60.0
_MARK: Final = "LIECBENCH_TEST_MARK"


def environment_of(pid: int) -> dict[str, str]:
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


@dataclass(frozen=True, slots=True)
class Tree:
    """All processes that a test starts, and their descendants.

    They are found by a mark in the environment that they inherit: a process whose parent has died is found as well.
    """

    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    _pins: list[int] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return {**os.environ, _MARK: self.mark, "NO_COLOR": "1", "COLUMNS": "200"}

    def pids(self) -> set[int]:
        return {pid for pid in all_pids() if environment_of(pid).get(_MARK) == self.mark}

    def describe(self) -> dict[int, str]:
        """Return the command lines by pid."""
        lines = {}
        for pid in self.pids():
            with contextlib.suppress(OSError):
                lines[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return lines

    def namespaces(self) -> set[str]:
        """Return the network namespaces, other than this process's, that the processes are in or hold open.

        Each stays open here until ``end()``: otherwise the kernel could give its number to a new namespace.
        """
        own, held = network_namespace(), set()
        for name, path in itertools.chain.from_iterable(map(namespaces_held, self.pids())):
            if name != own and name not in held:
                with contextlib.suppress(OSError):
                    self._pins.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                    held.add(f"net:[{os.fstat(self._pins[-1]).st_ino}]")
        return held

    def ranks(self) -> dict[int, int]:
        """Return the pids of torchrun's workers by rank."""
        found = {pid: name.removeprefix("liec-rank-") for pid, name in self._names() if name.startswith("liec-rank-")}
        return {int(rank): pid for pid, rank in found.items()}

    def named(self, name: str) -> list[int]:
        """Return the pids of the processes that have a name in ``ps``."""
        return [pid for pid, found in self._names() if found == name]

    def _names(self) -> Iterator[tuple[int, str]]:
        for pid in self.pids():
            with contextlib.suppress(OSError):
                yield pid, Path(f"/proc/{pid}/comm").read_text().strip()

    def assert_gone(self, namespaces: set[str], seconds: float = GONE_SECONDS) -> None:
        """Assert that all processes end and that nothing holds ``namespaces`` any more."""
        wait_for(lambda: not self.pids(), lambda: f"every process ends; {self.describe()} is left", seconds)
        wait_for(
            lambda: not holders(namespaces), lambda: f"{namespaces} vanish; {holders(namespaces)} hold them", seconds
        )

    def end(self) -> None:
        """Kill every process that is left."""
        while self._pins:
            os.close(self._pins.pop())
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.pids(), "processes of this test end")
