"""The description of one worker's link: rates, delay, jitter and loss. ``network.emulation`` shapes such links."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from liecbench.network.quantity import DELAY, format_loss, format_rate
from liecbench.network.slowdown import Slowdown

# What limits a link: the kernel's own shapers, or the delay line, a process in user space.
Mechanism = Literal["kernel", "delay_line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The properties of one worker's link. Delay, jitter and loss hold in each direction.

    Attributes:
        up_bits_per_second: Rate at which the worker sends, counted in Ethernet frames with their headers.
        down_bits_per_second: Rate at which the worker receives.
        delay_seconds: Delay in one direction. A message from one worker to another is delayed by both workers' links.
        jitter_seconds: The most by which the delay of a frame is longer or shorter than ``delay_seconds``.
        loss: Fraction of the frames that are dropped.
    """

    up_bits_per_second: int
    down_bits_per_second: int
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    loss: float = 0.0

    @property
    def lower_bits_per_second(self) -> int:
        """The rate of the slower direction, in bits per second."""
        return min(self.up_bits_per_second, self.down_bits_per_second)

    @property
    def needs_latency(self) -> bool:
        """True if the link has delay, jitter or loss, which a token bucket cannot emulate."""
        return bool(self.delay_seconds or self.jitter_seconds or self.loss)

    def times(self, factor: float) -> "Link":
        """Return the link with both rates multiplied by ``factor``. Delay, jitter and loss stay."""
        up, down = round(self.up_bits_per_second * factor), round(self.down_bits_per_second * factor)
        return replace(self, up_bits_per_second=up, down_bits_per_second=down)

    def slowed(self, by: Slowdown) -> "Link":
        """Return this link slowed down by ``by``, to use in a replay: with lower rates, and longer delay and jitter."""
        delay, jitter = self.delay_seconds * by.dilation, self.jitter_seconds * by.dilation
        return replace(self.times(1 / by.rates), delay_seconds=delay, jitter_seconds=jitter)

    @property
    def without_delay(self) -> "Link":
        """The link with the same rates, but no delay, jitter or loss."""
        return Link(up_bits_per_second=self.up_bits_per_second, down_bits_per_second=self.down_bits_per_second)

    def spec(self) -> str | dict[str, Any]:
        """Return the link as a scenario file gives it, such as ``20mbit``, or ``{"rate": "20mbit", "delay": "5ms"}``.

        The result is a mapping if the rates up and down differ, or if the link has delay, jitter or loss.
        """
        up, down = format_rate(self.up_bits_per_second), format_rate(self.down_bits_per_second)
        rates = {"rate": up} if up == down else {"up": up, "down": down}
        delays = (("delay", self.delay_seconds), ("jitter", self.jitter_seconds))
        more = {name: DELAY.format(value) for name, value in delays if value}
        if self.loss:
            more["loss"] = format_loss(self.loss)
        return up if up == down and not more else {**rates, **more}

    def delay_texts(self) -> tuple[str, str]:
        """Return two texts: the delay, such as ``delay 10ms±2ms``, and the round trip, such as ``round trip 40ms``.

        The round trip is between two workers that each have such a link. It takes four delays, because a message passes
        both links on each way.
        """
        jitter = f"±{DELAY.format(self.jitter_seconds)}" if self.jitter_seconds else ""
        return f"delay {DELAY.format(self.delay_seconds)}{jitter}", f"round trip {DELAY.format(4 * self.delay_seconds)}"

    def __str__(self) -> str:
        up, down = format_rate(self.up_bits_per_second), format_rate(self.down_bits_per_second)
        parts = [up if up == down else f"{up}↑ {down}↓"]
        if self.delay_seconds:
            parts += self.delay_texts()
        if self.loss:
            parts.append(f"{format_loss(self.loss)} loss")
        return " ".join(parts)


# Typical links. Yours may differ, so measure your link and write its numbers. A delay is one way of one link: the round
# trip between two workers takes four of them, and a round trip that was measured to a nearby server takes two.
#   home-dsl: VDSL, with about 20 ms of round trip to the provider; the FCC's reports "Measuring Broadband America" have
#     37 to 40 ms for slower DSL.
#   lte: Huang et al., "A Close Examination of Performance and Power Characteristics of 4G LTE Networks" (MobiSys 2012)
#     measured medians of 13 Mbit/s down, 6 Mbit/s up and 70 ms of round trip. Networks since then are faster.
#   wan: the round trip of 80 ms between two workers is that across the Atlantic, for which providers guarantee at most
#     90 ms (Verizon's service level between New York and London).
PRESETS: Final = {
    "lan-10g": Link(up_bits_per_second=10**10, down_bits_per_second=10**10),
    "datacenter-1g": Link(up_bits_per_second=10**9, down_bits_per_second=10**9),
    "wifi": Link(
        up_bits_per_second=10**8,
        down_bits_per_second=10**8,
        delay_seconds=0.002,
        jitter_seconds=0.001,
        loss=0.001,
    ),
    "home-dsl": Link(up_bits_per_second=10**7, down_bits_per_second=5 * 10**7, delay_seconds=0.01),
    "lte": Link(
        up_bits_per_second=10**7,
        down_bits_per_second=4 * 10**7,
        delay_seconds=0.025,
        jitter_seconds=0.005,
        loss=0.001,
    ),
    "wan": Link(up_bits_per_second=2 * 10**8, down_bits_per_second=2 * 10**8, delay_seconds=0.02, loss=0.0001),
}


def burst_bytes(bits_per_second: int) -> int:
    """Return the size of a link's token bucket in bytes: the burst that passes at once after the link was idle.

    The size is half a millisecond's bytes at the link's rate, but at least 4096.
    """
    # With 4096 bytes, messages of 64 kB keep to the rate within 6 %. With a quarter of a millisecond's bytes, a link of
    # 1 Gbit/s carried 8 % less.
    return max(4096, bits_per_second // 8 // 2000)
