"""What communication has moved and how long it took."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from liecbench.algorithms.comm.clock import Clock, HostClock
from liecbench.algorithms.comm.tracing import Tracer


@dataclass(slots=True)
class Counters:
    """What an algorithm has moved and how long it took, since it was made.

    Seconds are wall time of what its communication thread does, of a GPU's work on that GPU's own clock.
    """

    sent_bytes: int = 0
    received_bytes: int = 0
    sent_messages: int = 0
    compress_seconds: float = 0.0
    communicate_seconds: float = 0.0


class Stopwatch:
    """Adds what a clock shows to counters, and to a timeline while it is kept; any thread may use it."""

    def __init__(
        self, counters: Counters | None = None, tracer: Tracer | None = None, clock: Clock | None = None
    ) -> None:
        self.counters, self.tracer, self.clock = counters or Counters(), tracer or Tracer(), clock or HostClock()
        self._lock = threading.Lock()

    def by(self, clock: Clock) -> "Stopwatch":
        """The same counters and timeline by another clock."""
        return Stopwatch(self.counters, self.tracer, clock)

    @contextmanager
    def timed(
        self,
        counter: Literal["compress_seconds", "communicate_seconds"],
        span: Literal["compress", "decompress", "cast", "send", "wait", "copy"],
    ) -> Iterator[None]:
        """Count what happens inside."""
        start, traced = self.clock.mark(), self.tracer.on
        yield

        def known(begun: float, ended: float) -> None:
            with self._lock:
                setattr(self.counters, counter, getattr(self.counters, counter) + ended - begun)
            if traced:
                self.tracer.keep(span, "communication", begun, ended)

        self.clock.spend(start, self.clock.mark(), known)
