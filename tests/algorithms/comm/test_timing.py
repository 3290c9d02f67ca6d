import time
from typing import Any

import pytest
import torch

from liecbench.algorithms.comm import timing
from liecbench.algorithms.comm.timing import GpuClock, HostClock


class FakeStream:
    """A GPU's stream as a clock sees it: it passes the events recorded up to ``passed_milliseconds``."""

    def __init__(self) -> None:
        self.milliseconds = 0.0
        self.passed_milliseconds = float("inf")
        self.num_waits = 0

    def event(self, **_: Any) -> "FakeEvent":
        return FakeEvent(self)


class FakeEvent:
    def __init__(self, stream: FakeStream) -> None:
        self.stream, self.at, self.recorded_on = stream, 0.0, stream

    def record(self, stream: FakeStream) -> None:
        self.at, self.recorded_on = self.stream.milliseconds, stream

    def query(self) -> bool:
        return self.at <= self.stream.passed_milliseconds

    def synchronize(self) -> None:
        self.stream.num_waits += 1

    def elapsed_time(self, end: "FakeEvent") -> float:
        return end.at - self.at


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> FakeStream:
    stream = FakeStream()
    monkeypatch.setattr(torch.cuda, "Event", stream.event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: stream)
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: FakeStream())
    monkeypatch.setattr(time, "perf_counter", lambda: 100.0)
    return stream


def test_the_host_clock_calls_back_at_once() -> None:
    calls: list[tuple[float, float]] = []
    host = HostClock()
    host.record(1.0, 2.5, lambda begin, end: calls.append((begin, end)))

    assert calls == [(1.0, 2.5)]


def test_a_gpu_clock_calls_back_in_synchronize_and_in_the_order_recorded(stream: FakeStream) -> None:
    calls: list[tuple[str, float, float]] = []
    gpu = GpuClock(torch.device("cuda", 0))
    waits_before = stream.num_waits
    timestamps = []
    for milliseconds in (10.0, 250.0, 1000.0):
        stream.milliseconds = milliseconds
        timestamps.append(gpu.timestamp())
    gpu.record(timestamps[1], timestamps[2], lambda begin, end: calls.append(("later", begin, end)))
    gpu.record(timestamps[0], timestamps[1], lambda begin, end: calls.append(("earlier", begin, end)))
    assert (calls, stream.num_waits) == ([], waits_before)

    gpu.synchronize()

    assert calls == [("later", 100.25, 101.0), ("earlier", pytest.approx(100.01), pytest.approx(100.25))]


def test_many_pending_timestamps_are_resolved_as_far_as_the_gpu_has_passed_them_without_waiting(
    stream: FakeStream,
) -> None:
    gpu, begins = GpuClock(torch.device("cuda", 0)), list[float]()
    waits_before = stream.num_waits
    stream.passed_milliseconds = 3.0
    for milliseconds in range(timing._MAX_PENDING + 10):
        stream.milliseconds = float(milliseconds)
        gpu.record(gpu.timestamp(), gpu.timestamp(), lambda begin, _: begins.append(begin))

    assert begins == pytest.approx([100.0, 100.001, 100.002, 100.003])
    assert stream.num_waits == waits_before


def test_now_is_not_behind_queued_work_and_a_timestamp_is(stream: FakeStream) -> None:
    gpu = GpuClock(torch.device("cuda", 0))

    assert (gpu.timestamp().recorded_on is stream, gpu.now().recorded_on is stream) == (True, False)  # type: ignore[attr-defined]
