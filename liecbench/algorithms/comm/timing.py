"""Clocks of the host and of a GPU, counters of a rank's communication, and spans (pieces of work) for a timeline."""

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch

from liecbench.algorithms.comm.exposure import ExposureMeter

# A function that is called with the begin and the end of some work, in seconds of ``time.perf_counter``.
OnTimed = Callable[[float, float], None]
_MAX_PENDING = 4096


class Clock(ABC):
    """The source of a rank's timestamps. The time of a GPU timestamp is known only when the GPU has reached it."""

    @abstractmethod
    def timestamp(self) -> Any:
        """Return a timestamp of the end of all work that the caller has issued so far.

        On a GPU, this end may come after the call.
        """

    @abstractmethod
    def now(self) -> Any:
        """Return a timestamp of the moment of this call.

        ``timestamp`` instead marks the end of the work issued so far. On a GPU, this end may be later.
        """

    @abstractmethod
    def record(self, start: Any, end: Any, callback: OnTimed) -> None:
        """Convert two timestamps to seconds of ``time.perf_counter``, and pass the seconds to ``callback``.

        ``callback`` is called now or later, but at the latest in ``synchronize``.

        Args:
            start: The timestamp of the beginning of some work.
            end: The timestamp of the work's end.
            callback: A function of the seconds at ``start`` and the seconds at ``end``, in this order.
        """

    @abstractmethod
    def synchronize(self) -> None:
        """Wait for the recorded work to end, and call every callback that is still due."""


class HostClock(Clock):
    """The clock of the CPU, where a call returns only when its work is done."""

    def timestamp(self) -> float:
        """Return the seconds of ``time.perf_counter``."""
        return time.perf_counter()

    def now(self) -> float:
        """Return the seconds of ``time.perf_counter``, as ``timestamp`` does."""
        return self.timestamp()

    def record(self, start: float, end: float, callback: OnTimed) -> None:
        """Call ``callback(start, end)`` immediately."""
        callback(start, end)

    def synchronize(self) -> None:
        """Do nothing: ``record`` has already called every callback."""


class GpuClock(Clock):
    """The clock of a GPU: timestamps are CUDA events, and only ``synchronize`` blocks the host. Thread-safe."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._lock = device, threading.Lock()
        self._pending = deque[tuple[torch.cuda.Event, torch.cuda.Event, OnTimed]]()
        self._idle = torch.cuda.Stream(device)
        self._origin = self.timestamp()
        self._origin.synchronize()
        self._origin_seconds = time.perf_counter()

    def timestamp(self) -> torch.cuda.Event:
        """Return an event recorded on the current stream."""
        return self._recorded(torch.cuda.current_stream(self._device))

    def now(self) -> torch.cuda.Event:
        """Return an event that the GPU reaches immediately, even if earlier work is still queued on other streams."""
        return self._recorded(self._idle)

    def record(self, start: torch.cuda.Event, end: torch.cuda.Event, callback: OnTimed) -> None:
        """Register ``callback``, which ``synchronize`` calls with the times of the events ``start`` and ``end``.

        The times are in seconds of ``time.perf_counter``. If over 4096 callbacks wait, ``record`` calls the oldest of
        them, provided that the GPU has reached their events.
        """
        with self._lock:
            self._pending.append((start, end, callback))
            while len(self._pending) > _MAX_PENDING and self._pending[0][1].query():
                self._resolve()

    def synchronize(self) -> None:
        """Wait until the GPU has passed every recorded timestamp, and call the timestamps' callbacks."""
        with self._lock:
            while self._pending:
                self._pending[0][1].synchronize()
                self._resolve()

    def _recorded(self, stream: torch.cuda.Stream) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record(stream)
        return event

    def _resolve(self) -> None:
        start, end, callback = self._pending.popleft()
        # Measure from the previous event, because the time between two events is exact only if it is short.
        begin = self._origin_seconds + self._origin.elapsed_time(start) / 1e3
        self._origin, self._origin_seconds = start, begin
        callback(begin, begin + start.elapsed_time(end) / 1e3)


def clock_for(device: torch.device) -> Clock:
    """Return the clock that times work on ``device``."""
    return GpuClock(device) if device.type == "cuda" else HostClock()


@dataclass(slots=True)
class Counters:
    """Totals of an algorithm's communication on one rank, since the algorithm object was created.

    Seconds are wall time. A GPU's work is timed on the GPU's own clock.
    """

    sent_bytes: int = 0
    received_bytes: int = 0
    sent_messages: int = 0
    compress_seconds: float = 0.0
    communicate_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of work, to be drawn on a rank's timeline.

    Attributes:
        name: The name of the work, such as ``compress``.
        track: The name of the timeline's row that shows the work, such as ``communication``.
        start: The time at which the work begins, in seconds of ``time.perf_counter``.
        end: The time at which the work ends, in the same seconds.
    """

    name: str
    track: str
    start: float
    end: float


class Tracer:
    """Collects spans to draw on a timeline. Callers add spans only while ``enabled``. Thread-safe."""

    def __init__(self) -> None:
        self.enabled = False
        self._spans: list[Span] = []

    def add(self, name: str, track: str, start: float, end: float) -> None:
        """Add a piece of work to the row ``track`` of the timeline.

        ``start`` and ``end`` are in seconds of ``time.perf_counter``.
        """
        self._spans.append(Span(name, track, start, end))

    def drain(self) -> list[Span]:
        """Return the spans collected since the last call."""
        spans, self._spans = self._spans, []
        return spans


class Stopwatch:
    """A stopwatch for the compression and communication of one rank. Thread-safe.

    Attributes:
        counters: Receives the seconds of the timed work. A stopwatch adds no bytes and no messages to ``counters``.
        tracer: Receives the timed work as spans for a timeline, but only while ``tracer.enabled`` is True.
        clock: The source of the timestamps.
        exposure: Measures for how many seconds training waits for the timed work.
    """

    def __init__(
        self,
        counters: Counters | None = None,
        tracer: Tracer | None = None,
        clock: Clock | None = None,
        exposure: ExposureMeter | None = None,
    ) -> None:
        self.counters, self.tracer, self.clock = counters or Counters(), tracer or Tracer(), clock or HostClock()
        self.exposure = exposure or ExposureMeter()
        self._lock = threading.Lock()

    def with_clock(self, clock: Clock) -> "Stopwatch":
        """Return a stopwatch on ``clock`` that shares this stopwatch's counters, tracer and exposure meter."""
        return Stopwatch(self.counters, self.tracer, clock, self.exposure)

    @contextmanager
    def timed(
        self,
        counter: Literal["compress_seconds", "communicate_seconds"],
        span: Literal["compress", "decompress", "cast", "send", "wait", "copy"],
    ) -> Iterator[None]:
        """Time the ``with`` body: add its seconds to ``counter`` and, while tracing, collect a span named ``span``."""
        start = self.clock.timestamp()
        yield
        self.record(counter, span, start, self.clock.timestamp())

    def record(
        self,
        counter: Literal["compress_seconds", "communicate_seconds"],
        span: Literal["compress", "decompress", "cast", "send", "wait", "copy", "all-reduce"],
        start: Any,
        end: Any,
    ) -> None:
        """Add the seconds from ``start`` to ``end`` to ``counter`` and, while tracing, collect a span named ``span``.

        ``start`` and ``end`` are timestamps of ``clock``.
        """
        traced = self.tracer.enabled

        def add(begin: float, end: float) -> None:
            with self._lock:
                setattr(self.counters, counter, getattr(self.counters, counter) + end - begin)
            self.exposure.add_span("compress" if counter == "compress_seconds" else "communicate", begin, end)
            if traced:
                self.tracer.add(span, "communication", begin, end)

        self.clock.record(start, end, add)

    @contextmanager
    def transfer(self) -> Iterator[None]:
        """Add to ``exposure.totals.link_seconds`` the least seconds that the link needs for the body's messages.

        The body's messages are those whose bytes are added to ``counters`` during the ``with`` body. The link can send
        and receive at the same time. Nothing is added if ``exposure.rates`` is None.
        """
        sent, received = self.counters.sent_bytes, self.counters.received_bytes
        yield
        self.exposure.add_messages(self.counters.sent_bytes - sent, self.counters.received_bytes - received)
