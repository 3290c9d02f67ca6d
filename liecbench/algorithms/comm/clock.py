"""When a rank's work began and ended: on the host, or on a GPU's stream, which tells once it has got there."""

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

import torch

# What is told of a piece of work: when it began and ended, in seconds of ``time.perf_counter``.
Known = Callable[[float, float], None]
_MANY = 4096


class Clock(ABC):
    """Marks moments of the work that is given out here, and tells of each piece when it began and ended."""

    @abstractmethod
    def mark(self) -> Any:
        """This moment of the work."""

    @abstractmethod
    def now(self) -> Any:
        """This moment, whatever work is given out and not done."""

    @abstractmethod
    def spend(self, start: Any, end: Any, known: Known) -> None:
        """Tell ``known`` when the work from mark ``start`` to mark ``end`` was: now, or by the end of ``settle``."""

    @abstractmethod
    def settle(self) -> None:
        """Tell of everything so far, which waits for the work to end."""


class HostClock(Clock):
    """What is called is done when it returns."""

    def mark(self) -> float:
        """Seconds."""
        return time.perf_counter()

    def now(self) -> float:
        """The same: nothing is given out."""
        return self.mark()

    def spend(self, start: float, end: float, known: Known) -> None:
        """At once."""
        known(start, end)

    def settle(self) -> None:
        """Nothing is left to tell."""


class GpuClock(Clock):
    """Events on the streams of a GPU, which nobody waits for until ``settle``. Any thread may use it."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._lock = device, threading.Lock()
        self._untold = deque[tuple[torch.cuda.Event, torch.cuda.Event, Known]]()
        self._idle = torch.cuda.Stream(device)
        self._origin = self.mark()
        self._origin.synchronize()
        self._origin_seconds = time.perf_counter()

    def mark(self) -> torch.cuda.Event:
        """An event on the current stream."""
        return self._recorded(torch.cuda.current_stream(self._device))

    def now(self) -> torch.cuda.Event:
        """An event on a stream that has nothing to do."""
        return self._recorded(self._idle)

    def spend(self, start: torch.cuda.Event, end: torch.cuda.Event, known: Known) -> None:
        """Later; of what is long over when much has piled up."""
        with self._lock:
            self._untold.append((start, end, known))
            while len(self._untold) > _MANY and self._untold[0][1].query():
                self._tell()

    def settle(self) -> None:
        """Wait until the GPU has done what was spent, and tell of it."""
        with self._lock:
            while self._untold:
                self._untold[0][1].synchronize()
                self._tell()

    def _recorded(self, stream: torch.cuda.Stream) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record(stream)
        return event

    def _tell(self) -> None:
        start, end, known = self._untold.popleft()
        # From event to event: what a GPU says of two is exact only where little is between them.
        begun = self._origin_seconds + self._origin.elapsed_time(start) / 1e3
        self._origin, self._origin_seconds = start, begun
        known(begun, begun + start.elapsed_time(end) / 1e3)


def clock_of(device: torch.device) -> Clock:
    """The clock of work on ``device``."""
    return GpuClock(device) if device.type == "cuda" else HostClock()
