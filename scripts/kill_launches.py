#!/usr/bin/env python
"""Start launches with delayed links, kill each while frames are delayed, and check that nothing is left.

    .venv/bin/python scripts/kill_launches.py [NUMBER]

Each of NUMBER launches (100) loses another of its processes by SIGKILL: the supervisor, the init process or the delay
line. Then no process, network namespace or interface may be left. As root, the script does the same as a user without
privileges, whose launches make user namespaces. 100 launches take four minutes per user.
"""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.namespaces import interfaces  # noqa: E402
from tests.network.test_delay_line import COMMAND  # noqa: E402
from tests.network.test_emulation import WITHOUT_PRIVILEGES  # noqa: E402
from tests.supervised import supervise  # noqa: E402

VICTIMS = ("supervisor", "liec-init", "liec-delay-line")


def kill_launches(number: int, prefix: Sequence[str]) -> Counter[str]:
    """Start and kill ``number`` launches, and return how many lost each of their processes.

    Raises AssertionError if anything is left of a launch.
    """
    before, killed = interfaces(), Counter[str]()
    for launch in range(number):
        victim = VICTIMS[launch % len(VICTIMS)]
        with supervise([*COMMAND, "delayed"], num_links=2, prefix=prefix) as supervised:
            supervised.next_event()
            held = supervised.tree.namespaces()
            pids = [supervised.process.pid] if victim == "supervisor" else supervised.tree.named(victim)
            os.kill(pids[0], signal.SIGKILL)
            supervised.status()
            supervised.tree.assert_gone(held)
        assert interfaces() == before, f"launch {launch}, {victim} killed: {interfaces() - before} are left"
        killed[victim] += 1
    return killed


def main() -> None:
    """Kill launches of this user and, as root, of an ordinary one."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    users = {"root": (), "ordinary user": WITHOUT_PRIVILEGES} if os.getuid() == 0 else {"ordinary user": ()}
    for user, prefix in users.items():
        start = time.monotonic()
        killed = ", ".join(f"{count} {victim}" for victim, count in kill_launches(number, prefix).items())
        print(f"{user}: killed {killed}; nothing left; {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
