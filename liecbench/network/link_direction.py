"""One direction of an emulated link: when frames leave it, and which segments get lost.

This module only computes times; ``delay_line`` moves the frames.
"""

import math
import random
from collections.abc import Iterator
from typing import Final

from liecbench.network.frames import FRAME_BYTES, count_segments, split_at_lost
from liecbench.network.link import Link

_NEVER: Final = math.inf
_PART_SECONDS: Final = 0.5e-3


class LinkDirection:
    """One direction of a link: when frames leave the direction, and which of the frames' segments get lost.

    Frames pass one after the other at the direction's rate, and are then delayed. The segments of a frame
    of TCP over IPv4 get lost independently of each other. Any other frame gets lost as a whole. Until ``limit`` is
    called, there is no rate limit, delay, jitter or loss.

    Args:
        seed: Seed of the random numbers for jitter and losses: any text, such as ``up 0`` for the up link of rank 0.

    Attributes:
        lost_segments: Number of segments that this direction has lost so far.
        loss: Fraction of the segments that get lost.
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret depends on it
        self.lost_segments = 0
        self.forget()
        self.lift()

    def lift(self) -> None:
        """From now on, pass frames without rate limit, delay, jitter and loss. Frames stay in order."""
        self._set(seconds_per_byte=0.0, delay=0.0, jitter=0.0, loss=0.0)

    def limit(self, link: Link, bits_per_second: int) -> None:
        """Pass frames at ``bits_per_second`` from now on, with the delay, jitter and loss of ``link``."""
        self._set(8 / bits_per_second, link.delay_seconds, link.jitter_seconds, link.loss)

    def _set(self, seconds_per_byte: float, delay: float, jitter: float, loss: float) -> None:
        self._seconds_per_byte, self._delay, self._jitter = seconds_per_byte, delay, jitter
        self.loss = loss
        self._until_loss = self._draw_until_loss()

    def forget(self) -> None:
        """Reset the times of earlier frames, so that they delay no later frame. No frame may be on the link."""
        self._free_at = self._first_out = 0.0

    def carry(self, first: float, last: float, num_bytes: int) -> tuple[float, float]:
        """Return when the first and the last byte of a frame leave this direction, in seconds.

        Args:
            first: Time at which the first byte reaches this direction. The frame waits until earlier frames have
                passed.
            last: Time at which the last byte reaches this direction.
            num_bytes: Bytes of the frame with all headers.
        """
        start = max(first, self._free_at)
        self._free_at = start + num_bytes * self._seconds_per_byte
        delay = self._delay
        if self._jitter:
            delay += self._random.uniform(-self._jitter, self._jitter)
        self._first_out = max(self._first_out, start + delay)  # a frame with less jitter does not overtake another
        return self._first_out, max(last, self._free_at) + delay

    def pieces(self, frame: bytes) -> list[tuple[bytes, int, bool]]:
        """Draw at random which segments of ``frame`` are lost, and split the frame into lost and arriving pieces.

        Return a tuple (piece, wire bytes of the piece, True if it is lost) for each piece, in order.
        """
        segments, num_bytes = count_segments(frame)
        if self._until_loss >= segments:
            self._until_loss -= segments
            return [(frame, num_bytes, False)]
        lost, position = set(), 0
        while position + self._until_loss < segments:
            position += int(self._until_loss)
            lost.add(position)
            position += 1
            self._until_loss = self._draw_until_loss()
        self._until_loss -= segments - position
        pieces = split_at_lost(frame, lost)
        counted = [(piece, *count_segments(piece), gone) for piece, gone in pieces]
        self.lost_segments += sum(number for _, number, _, gone in counted if gone)
        return [(piece, num_bytes, gone) for piece, _, num_bytes, gone in counted]

    def parts(self, num_bytes: int) -> Iterator[int]:
        """Yield the sizes, in bytes, of the parts into which this direction splits a frame of ``num_bytes``.

        Parts of other frames may pass between two parts. Every part but the last has as many bytes as pass in half a
        millisecond, but at least as many as a full TCP segment. Without a rate limit, the frame is one part.
        """
        most = num_bytes
        if self._seconds_per_byte:
            most = max(FRAME_BYTES, int(_PART_SECONDS / self._seconds_per_byte))
        for start in range(0, num_bytes, most):
            yield min(most, num_bytes - start)

    def _draw_until_loss(self) -> float:
        """Draw at random how many segments arrive before the next one is lost; infinity if the link loses none."""
        if not self.loss:
            return _NEVER
        return float(int(math.log(1 - self._random.random()) / math.log1p(-self.loss)))
