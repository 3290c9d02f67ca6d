"""Slower time and smaller messages, so that a machine can emulate more or faster ranks than it can run."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """The factors between emulated and real time, and between emulated and real messages.

    Attributes:
        dilation: The factor by which everything takes longer in reality: rates are divided by it, delays multiplied.
        message_divisor: The factor by which real messages are smaller. Rates are divided by it, too, so that the
            transfer of a message takes the same time, although a link carries fewer bytes.
    """

    dilation: int = 1
    message_divisor: int = 1

    @property
    def rates(self) -> int:
        """The factor by which real rates are lower than emulated ones."""
        return self.dilation * self.message_divisor

    def smaller(self, count: int) -> int:
        """Return ``count`` ÷ ``message_divisor``, rounded up: the elements or bytes that are really sent."""
        return -(-count // self.message_divisor)

    def __str__(self) -> str:
        """Return the label of a replay, such as ``replayed ×16, scaled ÷4``; ``replayed`` if both factors are 1."""
        return replayed_text(self.dilation, self.message_divisor)


def replayed_text(dilation: float, message_divisor: int) -> str:
    """Return the label of a replayed row or session, for example ``replayed ×16, scaled ÷4``."""
    return replays_text([dilation], [message_divisor])


def replays_text(dilations: Collection[float], message_divisors: Collection[float]) -> str:
    """Return a label for several rows, with the ranges of their factors, for example ``replayed ×1–16, scaled ÷4``."""
    dilated = f"replayed ×{_range(dilations)}" if max(dilations) > 1 else "replayed"
    return f"{dilated}, scaled ÷{_range(message_divisors)}" if max(message_divisors) > 1 else dilated


def _range(factors: Collection[float]) -> str:
    return "–".join(dict.fromkeys(f"{factor:g}" for factor in (min(factors), max(factors))))
