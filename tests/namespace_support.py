"""Skip tests when the kernel refuses network namespaces, or run a command as if it did."""

import functools
import os
import sys
from pathlib import Path
from typing import Final

import pytest

from liecbench.host import linux
from tests.supervised import supervise

# Put before a command: it runs where the kernel creates no network namespace.
WITHOUT_NAMESPACES: Final = [sys.executable, "-m", "tests.namespace_support"]


@functools.cache
def namespaces_refusal() -> str | None:
    """Return the kernel's reason for refusing network namespaces; None if they can be created."""
    with supervise(["true"], num_links=1) as supervised:
        event = supervised.events.next()
        status = supervised.status()
        return None if status == 0 else f"{event or supervised.printed()}"


def skip_without_namespaces() -> None:
    """Skip the test, with the kernel's reason, if network namespaces cannot be created."""
    if reason := namespaces_refusal():
        pytest.skip(f"the kernel refuses network namespaces: {reason}")


def _exec_without_namespaces() -> None:
    """Execute this process's arguments in a user namespace whose limit of network namespaces is 0."""
    user, group = os.getuid(), os.getgid()
    linux.unshare(linux.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    Path("/proc/sys/user/max_net_namespaces").write_text("0")
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    _exec_without_namespaces()
