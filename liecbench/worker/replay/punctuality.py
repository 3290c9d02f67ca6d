"""Waking up on time: replayed ranks sleep most of the time, and must not wait for a processor afterwards."""

import contextlib
import os
from pathlib import Path
from typing import Final

from liecbench.host.linux import set_timer_slack

_TIMER_SLACK_NANOSECONDS: Final = 1000
# Below the delay line's, because a frame that is late delays several ranks.
_REAL_TIME_PRIORITY: Final = 1


def be_punctual() -> None:
    """Let this process's threads run as soon as they wake up, even if other processes compute.

    Only root may. On two cores beside two busy processes, an exchange of two small messages takes 1 to 2 ms without it,
    and 0.2 ms with it. Ranks that replay use under a third of the processors, so that other processes still run.
    """
    set_timer_slack(_TIMER_SLACK_NANOSECONDS)
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # not root, or the thread has ended
            os.sched_setscheduler(int(thread.name), os.SCHED_FIFO, os.sched_param(_REAL_TIME_PRIORITY))
