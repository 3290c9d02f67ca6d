import time
from typing import Any

import pytest
import torch

from liecbench.algorithms.comm import clock
from liecbench.algorithms.comm.clock import GpuClock, HostClock


class Stream:
    """A GPU's stream, as far as a clock sees it: events are reached when it comes to them."""

    def __init__(self) -> None:
        self.milliseconds = 0.0
        self.reached_until = float("inf")
        self.num_waits = 0

    def event(self, **_: Any) -> "Event":
        return Event(self)


class Event:
    def __init__(self, stream: Stream) -> None:
        self.stream, self.at, self.recorded_on = stream, 0.0, stream

    def record(self, stream: Stream) -> None:
        self.at, self.recorded_on = self.stream.milliseconds, stream

    def query(self) -> bool:
        return self.at <= self.stream.reached_until

    def synchronize(self) -> None:
        self.stream.num_waits += 1

    def elapsed_time(self, end: "Event") -> float:
        return end.at - self.at


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    stream = Stream()
    monkeypatch.setattr(torch.cuda, "Event", stream.event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: stream)
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: Stream())
    monkeypatch.setattr(time, "perf_counter", lambda: 100.0)
    return stream


def test_the_host_tells_at_once() -> None:
    told: list[tuple[float, float]] = []
    host = HostClock()
    host.spend(1.0, 2.5, lambda begun, ended: told.append((begun, ended)))

    assert told == [(1.0, 2.5)]


def test_a_gpu_tells_when_it_has_settled_and_in_the_order_given(stream: Stream) -> None:
    told: list[tuple[str, float, float]] = []
    gpu = GpuClock(torch.device("cuda", 0))
    waits_before = stream.num_waits
    marks = []
    for milliseconds in (10.0, 250.0, 1000.0):
        stream.milliseconds = milliseconds
        marks.append(gpu.mark())
    gpu.spend(marks[1], marks[2], lambda begun, ended: told.append(("later", begun, ended)))
    gpu.spend(marks[0], marks[1], lambda begun, ended: told.append(("earlier", begun, ended)))
    assert (told, stream.num_waits) == ([], waits_before)

    gpu.settle()

    assert told == [("later", 100.25, 101.0), ("earlier", pytest.approx(100.01), pytest.approx(100.25))]


def test_what_piles_up_is_told_as_far_as_the_gpu_has_come_and_waits_for_nothing(stream: Stream) -> None:
    gpu, told = GpuClock(torch.device("cuda", 0)), list[float]()
    waits_before = stream.num_waits
    stream.reached_until = 3.0
    for milliseconds in range(clock._MANY + 10):
        stream.milliseconds = float(milliseconds)
        gpu.spend(gpu.mark(), gpu.mark(), lambda begun, _: told.append(begun))

    assert told == pytest.approx([100.0, 100.001, 100.002, 100.003])
    assert stream.num_waits == waits_before


def test_now_waits_behind_no_work_and_a_mark_does(stream: Stream) -> None:
    gpu = GpuClock(torch.device("cuda", 0))

    assert (gpu.mark().recorded_on is stream, gpu.now().recorded_on is stream) == (True, False)  # type: ignore[attr-defined]
