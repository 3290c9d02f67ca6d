"""Linux system calls that Python 3.11 does not offer."""

import ctypes
import os
import signal
from typing import Final

CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWPID: Final = 0x2000_0000
CLONE_NEWNET: Final = 0x4000_0000

_MS_NOSUID_NODEV_NOEXEC: Final = 0x2 | 0x4 | 0x8
_MS_REC_PRIVATE: Final = 0x4000 | 0x4_0000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PR_SET_TIMERSLACK: Final = 29

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this process, which must have a single thread, into new namespaces. Raises OSError if the kernel refuses.

    ``flags`` is a combination of the constants ``CLONE_…``.
    """
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def enter_network_namespace(descriptor: int) -> None:
    """Move the calling thread into the network namespace to which the open file ``descriptor`` refers.

    Raises OSError if the kernel refuses.
    """
    _checked(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(CLONE_NEWNET)), "setns")


def make_mounts_private() -> None:
    """Make later mounts in this mount namespace invisible outside, and later mounts outside invisible here.

    Raises OSError if the kernel refuses.
    """
    _checked(_libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC_PRIVATE), None), "mount")


def mount_proc() -> None:
    """Mount a /proc that shows only the processes of this PID namespace. Raises OSError if the kernel refuses."""
    flags = ctypes.c_ulong(_MS_NOSUID_NODEV_NOEXEC)
    _checked(_libc.mount(b"proc", b"/proc", b"proc", flags, None), "mount /proc")


def die_with_parent(parent: int | None = None) -> None:
    """Make the kernel kill this process when its parent process ends.

    ``parent`` is the expected process ID of the parent, or None if any will do. If the parent has another ID, exit at
    once.
    """
    kill = ctypes.c_ulong(signal.SIGKILL)
    _checked(_libc.prctl(ctypes.c_int(_PR_SET_PDEATHSIG), kill, 0, 0, 0), "prctl")
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def set_process_name(name: str) -> None:
    """Set the name that ``ps`` and ``top`` show for this process. The kernel keeps the first 15 bytes of the name."""
    _checked(_libc.prctl(ctypes.c_int(_PR_SET_NAME), name.encode()[:15], 0, 0, 0), "prctl")


def set_timer_slack(nanoseconds: int) -> None:
    """Set this thread's timer slack, the largest delay with which the kernel may end the thread's sleeps.

    Linux's default is 50 000 ns. Threads and processes that this thread starts later inherit the slack.
    """
    _checked(_libc.prctl(ctypes.c_int(_PR_SET_TIMERSLACK), ctypes.c_ulong(nanoseconds), 0, 0, 0), "prctl")
