"""Spans of what a rank's communication does, for a timeline."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` to ``end`` of ``time.perf_counter``; ``lane`` is who was at it."""

    name: str
    lane: str
    start: float
    end: float


class Tracer:
    """Keeps spans of what happens while it is ``on``."""

    def __init__(self) -> None:
        self.on = False
        self._spans: list[Span] = []

    def keep(self, name: str, lane: str, start: float, end: float) -> None:
        """Keep a span; any thread may."""
        self._spans.append(Span(name, lane, start, end))

    def take(self) -> list[Span]:
        """The spans so far, which are forgotten."""
        spans, self._spans = self._spans, []
        return spans
