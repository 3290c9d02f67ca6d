"""Commands run inside the test's process, and disturbed while they run."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cli.in_process import run_in_process
from tests.namespaces import all_pids, namespaces_held, network_namespace
from tests.waiting import wait_for


def run_disturbed(disturb: Callable[[], object], *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command as ``run_in_process`` does, while another thread runs ``disturb``; raise what that raises."""
    ended = threading.Event()

    def disturb_or_interrupt() -> None:
        try:
            disturb()
        except BaseException:
            if not ended.is_set():
                os.kill(os.getpid(), signal.SIGTERM)  # the command's own handler ends its ranks
            raise

    with ThreadPoolExecutor(1) as thread:
        disturbance = thread.submit(disturb_or_interrupt)
        try:
            done = run_in_process(*arguments)
        finally:
            ended.set()
        disturbance.result()
    return done


def ranks() -> dict[int, int]:
    """Return the pids by rank of the ranks that this process has started."""
    found = {}
    for pid in _descendants():
        name = _read(f"/proc/{pid}/comm").strip()
        if name.startswith("liec-rank-"):
            found[int(name.removeprefix("liec-rank-"))] = pid
    return found


def wait_for_ranks(number: int) -> dict[int, int]:
    """Wait until ranks 0 to ``number`` - 1 have started, and return their pids."""
    return wait_for(lambda: found if len(found := ranks()) == number else {}, f"{number} ranks have started")


def namespaces() -> set[str]:
    """Return the network namespaces, other than this process's, of the processes that this process has started."""
    held = {name for pid in _descendants() for name, _ in namespaces_held(pid)}
    return held - {network_namespace()}


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _descendants() -> set[int]:
    parents = {}
    for pid in all_pids():
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if fields:
            parents[pid] = int(fields[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}
