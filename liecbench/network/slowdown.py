"""How much more slowly, and with how much smaller messages, a machine emulates ranks that it is too slow for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """The factors between emulated and real time, and between emulated and real messages.

    Attributes:
        dilation: How many times as long everything takes in reality: rates are that much lower, delays longer.
        scale: How many times smaller real messages are. Rates are that much lower, too, so that a message takes its
            time, but a link carries fewer bytes in it.
    """

    dilation: int = 1
    scale: int = 1

    @property
    def rates(self) -> int:
        """How many times lower real rates are than emulated ones."""
        return self.dilation * self.scale

    def smaller(self, count: int) -> int:
        """Return the number of elements or bytes that are sent in reality in the place of ``count``, rounded up."""
        return -(-count // self.scale)

    def __str__(self) -> str:
        """Return for example ``×16, scaled ÷4``; empty if emulated and real steps are alike."""
        parts = [f"×{self.dilation}"] if self.dilation > 1 else []
        return ", ".join([*parts, *([f"scaled ÷{self.scale}"] if self.scale > 1 else [])])
