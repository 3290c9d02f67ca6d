import errno
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable

import pytest

from liecbench.host import linux
from tests.namespace_support import skip_without_namespaces
from tests.process_tree import GONE_SECONDS
from tests.waiting import TIMEOUT_SECONDS

# A parent that forks one child; the child tells its pid once it is ready, and waits for ever.
PARENT = """
import os, signal
from liecbench.host.linux import die_with_parent
parent = os.getpid()
if os.fork() == 0:
    {before}
    print(os.getpid(), flush=True)
signal.pause()
"""


def _outlives_killed_parent(before: str, seconds: float) -> bool:
    with subprocess.Popen([sys.executable, "-c", PARENT.format(before=before)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert select.select([parent.stdout], [], [], TIMEOUT_SECONDS)[0], "the child is ready"
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            parent.wait(TIMEOUT_SECONDS)
            outlives = not select.select([child], [], [], seconds)[0]
            if outlives:
                signal.pidfd_send_signal(child, signal.SIGKILL)
        finally:
            os.close(child)
    return outlives


@pytest.mark.parametrize("arguments", ["", "parent"])
def test_child_dies_with_its_killed_parent(arguments: str) -> None:
    assert not _outlives_killed_parent(f"die_with_parent({arguments})", GONE_SECONDS)


def test_child_that_does_not_ask_outlives_its_parent() -> None:
    assert _outlives_killed_parent("pass", 0.3)


@pytest.mark.parametrize(("arguments", "status"), [("os.getppid()", 0), ("os.getpid()", 1), ("", 0)])
def test_exits_at_once_where_the_parent_is_another(arguments: str, status: int) -> None:
    code = f"import os; from liecbench.host.linux import die_with_parent; die_with_parent({arguments})"
    assert subprocess.run([sys.executable, "-c", code], timeout=TIMEOUT_SECONDS, check=False).returncode == status


def _enter_regular_file() -> None:
    with tempfile.TemporaryFile() as file:
        linux.enter_network_namespace(file.fileno())


@pytest.mark.parametrize(
    ("call", "number"),
    [
        (lambda: linux.enter_network_namespace(-1), errno.EBADF),
        (_enter_regular_file, errno.EINVAL),
        (lambda: linux.unshare(1), errno.EINVAL),
    ],
)
def test_errors_carry_errno_and_its_text(call: Callable[[], None], number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as raised:
        call()
    assert raised.value.errno == number


def test_mount_without_privileges_is_refused() -> None:
    code = """
import os
from liecbench.host import linux
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for call in (linux.mount_proc, linux.make_mounts_private):
    try:
        call()
    except PermissionError as error:
        print(error.errno, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=TIMEOUT_SECONDS, check=True, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [str(errno.EPERM)] * 2
    assert "mount /proc" in lines[0]


def test_unshare_with_threads_is_refused() -> None:
    code = """
import threading
from liecbench.host import linux
stop = threading.Event()
thread = threading.Thread(target=stop.wait)
thread.start()
try:
    linux.unshare(linux.CLONE_NEWUSER)
except OSError as error:
    print(error.errno)
stop.set()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=TIMEOUT_SECONDS, check=True, capture_output=True, text=True
    )
    assert int(done.stdout) == errno.EINVAL


def test_unshare_leaves_and_enter_network_namespace_returns() -> None:
    skip_without_namespaces()
    code = """
import os, socket
from liecbench.host import linux
try:
    linux.unshare(linux.CLONE_NEWNET)
except PermissionError:
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET)
first, inside = os.readlink("/proc/self/ns/net"), socket.if_nameindex()
here = os.open("/proc/self/ns/net", os.O_RDONLY)
linux.unshare(linux.CLONE_NEWNET)
second = os.readlink("/proc/self/ns/net")
linux.enter_network_namespace(here)
print([name for _, name in inside] == ["lo"], first != second, os.readlink("/proc/self/ns/net") == first, first)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=TIMEOUT_SECONDS, check=True, capture_output=True, text=True
    )
    *checks, namespace = done.stdout.split()
    assert checks == ["True"] * 3
    assert namespace != os.readlink("/proc/self/ns/net")  # noqa: PTH115
