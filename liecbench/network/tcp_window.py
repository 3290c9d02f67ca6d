"""Set the limit of TCP's window in a rank's network namespace: the most bytes that one connection may have under way.

On a link with a delay, a connection reaches the link's rate only if the window holds the bytes of one round trip. The
third numbers of the kernel's settings ``tcp_rmem`` (receiver) and ``tcp_wmem`` (sender) limit the memory of the window.
A byte under way takes about two bytes of memory, so a limit of 4 MiB allows about 2 MiB under way. Every network
namespace has its own values of the settings.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

_SETTINGS: Final = Path("/proc/sys/net/ipv4")
# 1 Gbit/s for half a second. The receiver's limit may always be that large: connections agree on the window's unit when
# they are made, and only the sender fills the window.
MAX_WINDOW_MEMORY: Final = 2**27
RECEIVE_MEMORY: Final = f"4096 131072 {MAX_WINDOW_MEMORY}"
# Memory per byte that is under way. The second factor of 2 is for the bytes that wait in the sender's queue.
_MEMORY_PER_BYTE, _WITH_QUEUE = 2, 2


class SendWindow:
    """The kernel's limit for the send windows of TCP connections in one network namespace.

    The namespace is that of the thread that creates the object. ``fit`` sets the limit of this namespace, even if a
    thread in another namespace calls ``fit``.
    """

    def __init__(self) -> None:
        self._setting: int | None = None
        self._usual = (4096, 16384, 2**22)
        with contextlib.suppress(OSError):  # /proc/sys is read-only in some containers
            self._setting = os.open(_SETTINGS / "tcp_wmem", os.O_RDWR | os.O_CLOEXEC)
            least, initial, most = map(int, os.pread(self._setting, 100, 0).split())
            self._usual = least, initial, most

    def fit(self, bits_per_second: int, round_trip_seconds: float) -> None:
        """Set the limit of send windows, so that a connection can use the full rate of a link.

        For this, a window must hold the bytes that are under way in one round trip. The limit is the kernel's own if
        that is enough, and otherwise as large as needed, up to ``MAX_WINDOW_MEMORY``.
        """
        least, initial, most = self._usual
        needed = _WITH_QUEUE * _MEMORY_PER_BYTE * round(bits_per_second / 8 * round_trip_seconds)
        if self._setting is not None:
            # With a larger window than needed, one connection could fill the queue before a slow link.
            limit = max(most, min(needed, MAX_WINDOW_MEMORY))
            with contextlib.suppress(OSError):
                os.pwrite(self._setting, f"{least} {initial} {limit}".encode(), 0)


def window_bytes() -> int | None:
    """Return the most bytes that a TCP connection can have under way in this network namespace; None if unknown."""
    try:
        limits = [int((_SETTINGS / name).read_text().split()[2]) for name in ("tcp_rmem", "tcp_wmem")]
    except OSError:
        return None
    return min(limits) // _MEMORY_PER_BYTE
