"""Let a process that sleeps most of the time wake up on time, without waiting for a processor."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from liecbench.host.linux import set_timer_slack

_TIMER_SLACK_NANOSECONDS: Final = 1000
# Below the delay line's, because a frame that is late delays several ranks. Without a real-time priority, an exchange
# of two small messages took 1 to 2 ms on two cores that also ran tests. Other processes still run, because ranks that
# replay with automatic dilation use under a third of the processors.
_REAL_TIME_PRIORITY: Final = 1


@contextmanager
def punctual() -> Iterator[None]:
    """Give this process's threads a real-time priority in the ``with`` body, so that they wake up on time.

    A thread with this priority runs as soon as it wakes up, even if other processes compute. Threads that start in the
    body get the priority too. If this process may not set the priority, for example because the user is not
    root, the priorities stay as they are.

    The timer slack of the calling thread becomes 1 µs, so that its sleeps end on time. The timer slack stays at 1 µs
    after the body.
    """
    set_timer_slack(_TIMER_SLACK_NANOSECONDS)
    _schedule_threads(os.SCHED_FIFO, _REAL_TIME_PRIORITY)
    try:
        yield
    finally:
        _schedule_threads(os.SCHED_OTHER, 0)


def _schedule_threads(policy: int, priority: int) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # not root, or the thread has ended
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(priority))
