"""Exposed time: how long the communication thread compresses and communicates while the training thread waits for it.

Work that the communication thread does at the same time as the backward pass is hidden, not exposed.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from liecbench.algorithms.comm.pacing import framed_bytes

_ACKNOWLEDGEMENT_BYTES, _SEGMENT_BYTES = 33, 1448  # TCP acknowledges every second segment with 66 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRates:
    """The rates of a rank's link, in bits per second of Ethernet frames."""

    up_bits_per_second: float
    down_bits_per_second: float

    def seconds(self, sent_bytes: int, received_bytes: int) -> float:
        """Return the least seconds in which the link can send and receive these payloads, both at the same time.

        Headers count. A payload's acknowledgements count in the direction opposite to the payload. The link's delay is
        not included.

        Args:
            sent_bytes: The payload bytes that the rank sends.
            received_bytes: The payload bytes that the rank receives.
        """
        up = framed_bytes(sent_bytes) + _acknowledgements(received_bytes)
        down = framed_bytes(received_bytes) + _acknowledgements(sent_bytes)
        return max(8 * up / self.up_bits_per_second, 8 * down / self.down_bits_per_second)


def _acknowledgements(payload_bytes: int) -> int:
    return _ACKNOWLEDGEMENT_BYTES * -(-payload_bytes // _SEGMENT_BYTES)


@dataclass(slots=True, kw_only=True)
class ExposureTotals:
    """Total times of one rank: its exposed work, and its messages on the link.

    Work is exposed if the training thread waits for it.

    Attributes:
        compress_seconds: Exposed seconds of compression and decompression.
        communicate_seconds: Exposed seconds in which the rank communicates and does not compress at the same time.
        link_seconds: The least seconds that the link needs for all messages, exposed or not; 0 if its rates are
            unknown.
    """

    compress_seconds: float = 0.0
    communicate_seconds: float = 0.0
    link_seconds: float = 0.0

    def since(self, before: Self) -> Self:
        """Return these totals minus ``before``, earlier totals of the same meter."""
        return type(self)(
            compress_seconds=self.compress_seconds - before.compress_seconds,
            communicate_seconds=self.communicate_seconds - before.communicate_seconds,
            link_seconds=self.link_seconds - before.link_seconds,
        )


class ExposureMeter:
    """Adds up the seconds of compression and of communication that fall into exposed windows. Thread-safe.

    An exposed window is a time in which the training thread waits for the communication thread. A window must be added
    after all work that falls into it. All times are seconds of ``time.perf_counter``.

    Attributes:
        rates: The rates of this rank's link; None if they are unknown.
        totals: The sums so far.
    """

    def __init__(self) -> None:
        self.rates: LinkRates | None = None
        self.totals = ExposureTotals()
        self._spans = deque[tuple[float, float, bool]]()  # its methods are atomic: no lock is needed

    def add_span(self, work: Literal["compress", "communicate"], begin: float, end: float) -> None:
        """Record that the communication thread did ``work`` from ``begin`` to ``end``.

        The times are in seconds of ``time.perf_counter``.
        """
        self._spans.append((begin, end, work == "compress"))

    def add_window(self, begin: float, end: float) -> None:
        """Add to ``totals`` the seconds of compression and of communication in one exposed window.

        In an exposed window, the training thread waits for the communication thread. First record all work in the
        window with ``add_span``. Windows must be added in the order of time.

        Args:
            begin: The start of the window, in seconds of ``time.perf_counter``.
            end: The end of the window, in seconds of ``time.perf_counter``.
        """
        compress, all_work = [], []
        for _ in range(len(self._spans)):
            span = self._spans.popleft()
            start, stop, is_compress = span
            if stop > end:
                self._spans.append(span)
            if stop > begin and start < end:
                all_work.append((start, stop))
                if is_compress:
                    compress.append((start, stop))
        if all_work:
            compress_seconds = covered_seconds(begin, end, compress)
            self.totals.compress_seconds += compress_seconds
            self.totals.communicate_seconds += covered_seconds(begin, end, all_work) - compress_seconds

    def add_messages(self, sent_bytes: int, received_bytes: int) -> None:
        """Add to ``totals.link_seconds`` the least seconds that the link needs for messages.

        The link can send and receive at the same time. Do nothing if ``rates`` is None.

        Args:
            sent_bytes: The payload bytes of all messages that this rank sends.
            received_bytes: The payload bytes of all messages that this rank receives.
        """
        if self.rates is not None:
            self.totals.link_seconds += self.rates.seconds(sent_bytes, received_bytes)


def covered_seconds(begin: float, end: float, spans: Iterable[tuple[float, float]]) -> float:
    """Return the seconds between ``begin`` and ``end`` that at least one of the spans covers."""
    covered, until = 0.0, begin
    for start, stop in sorted(spans):
        first, last = max(start, until), min(stop, end)
        if last > first:
            covered += last - first
            until = last
    return covered
