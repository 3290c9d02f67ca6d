from typing import Any

import pytest
from torch.futures import Future

from liecbench.algorithms.comm.timed_group import TimedGroup
from liecbench.algorithms.comm.timing import HostClock, Stopwatch


class SetClock(HostClock):
    """A clock that shows the time that a test sets."""

    seconds = 0.0

    def timestamp(self) -> float:
        return self.seconds


class FakeWork:
    def __init__(self) -> None:
        self.future: Future[Any] = Future()

    def get_future(self) -> Future[Any]:
        return self.future


class FakeGroup:
    def __init__(self) -> None:
        self.works: list[FakeWork] = []

    def allreduce(self, tensors: Any, options: Any) -> FakeWork:
        self.works.append(FakeWork())
        return self.works[-1]

    def size(self) -> int:
        return 5


def test_time_between_all_reduces_is_compression_and_time_in_them_is_communication() -> None:
    clock, group = SetClock(), FakeGroup()
    watch = Stopwatch(clock=clock)
    timed: Any = TimedGroup(group, watch, clock.now)  # type: ignore[arg-type]
    clock.seconds = 7.0
    timed.begin()
    for issued, ended in [(8.0, 11.0), (13.0, 13.5)]:
        clock.seconds = issued
        future = timed.allreduce(["tensor"], None).get_future()
        clock.seconds = ended
        group.works[-1].future.set_result(["sum"])
        assert future.value() == ["sum"]
    clock.seconds = 20.0
    timed.end()

    assert timed.size() == 5
    assert watch.counters.communicate_seconds == pytest.approx(3.0 + 0.5)
    assert watch.counters.compress_seconds == pytest.approx(1.0 + 2.0 + 6.5)
