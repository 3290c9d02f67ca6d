"""The rank of a launch that was lost first, and why: the others often lose only their connections to it."""

import signal
from collections.abc import Sequence
from typing import Final

from liecbench.launch.events import Lost

_ORDER: Final = ("process", "error", "connection")
_KILLED: Final = (
    "killed by SIGKILL, usually by the kernel because memory ran out: "
    "fewer workers, a smaller batch_size or a smaller model need less"
)


def ended_process(rank: int, exit_code: int) -> Lost:
    """Return the event for a rank that could not send one itself.

    Args:
        rank: The number of the rank among those of all machines.
        exit_code: Its exit code; −N if signal N ended it.
    """
    return Lost(reason=f"rank {rank}: {_ending(exit_code)}", cause="process")


def first_lost(lost: Sequence[Lost]) -> str:
    """Return the first line of the reason of the rank that was lost first; empty if ``lost`` is.

    A rank whose process died comes before one with an error of its own, and this one before a rank that lost its
    connection to another. Among equals, the one whose event came first counts.
    """
    first = min(lost, key=lambda each: _ORDER.index(each.cause), default=None)
    return "" if first is None else first.reason.partition("\n")[0]


def _ending(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return _KILLED
    if exit_code >= 0:
        return f"its process ended with exit code {exit_code}"
    try:
        return f"its process died of {signal.Signals(-exit_code).name}"
    except ValueError:  # a real-time signal has no name
        return f"its process died of signal {-exit_code}"
