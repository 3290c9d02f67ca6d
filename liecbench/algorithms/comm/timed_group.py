"""Time a function that starts all-reduces, such as torch's ``powerSGD_hook``.

The function is given a ``TimedGroup`` instead of a process group. The ``TimedGroup`` times each all-reduce, and the
computation before, between and after the all-reduces.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch.distributed as dist
from torch.futures import Future

from liecbench.algorithms.comm.timing import Stopwatch


class TimedGroup:
    """A stand-in for a process group, which times the function that uses it, such as torch's ``powerSGD_hook``.

    The time of all-reduces counts as communication, and all other time of the function as compression. The function may
    use only the group's size and asynchronous ``torch.distributed.all_reduce`` calls, one after the other.

    Args:
        group: The process group that runs the all-reduces.
        watch: The stopwatch to which the seconds are added.
        end_timestamp: A function that is called when an all-reduce ends, and returns the timestamp of the end.
    """

    def __init__(self, group: dist.ProcessGroup, watch: Stopwatch, end_timestamp: Callable[[], Any]) -> None:
        self._group, self._watch, self._end_timestamp = group, watch, end_timestamp
        self._since = watch.clock.timestamp()

    def begin(self) -> None:
        """Start timing. Must be called right before the function that uses this group."""
        self._since = self._watch.clock.timestamp()

    def end(self) -> None:
        """Count the time since the last all-reduce as compression; called when the timed code ends."""
        self._count("compress", self._watch.clock.timestamp())

    def size(self) -> int:
        """Return the number of ranks."""
        return self._group.size()

    def allreduce(self, tensors: Any, options: Any) -> "_Work":
        """Start an all-reduce, as ``ProcessGroup.allreduce`` does."""
        self._count("compress", self._watch.clock.timestamp())
        return _Work(self._group.allreduce(tensors, options), self._count_all_reduce)

    def _count_all_reduce(self) -> None:
        self._count("all-reduce", self._end_timestamp())

    def _count(self, span: Literal["compress", "all-reduce"], now: Any) -> None:
        counter: Literal["compress_seconds", "communicate_seconds"]
        counter = "compress_seconds" if span == "compress" else "communicate_seconds"
        self._watch.record(counter, span, self._since, now)
        self._since = now


class _Work:
    """A running all-reduce. When it ends, its future first calls ``ended``, and then completes."""

    def __init__(self, work: dist.Work, ended: Callable[[], None]) -> None:
        self._work, self._ended = work, ended

    def get_future(self) -> Future[Any]:
        def finish(future: Future[Any]) -> Any:
            self._ended()
            return future.value()

        chained: Future[Any] = self._work.get_future().then(finish)
        return chained
