"""The choice of the mechanism that limits a cell's links: the kernel's shapers, or the delay line in user space."""

from typing import Final, Literal

from liecbench.network.link import Mechanism
from liecbench.network.link_map import LinkMap

# What a scenario may ask for. ``netem`` stands for the kernel's shapers: netem for delay, jitter and loss, and a token
# bucket for the rate.
Emulator = Literal["auto", "netem", "delay_line"]
# What a record may say.
UsedEmulator = Literal["delay_line", "netem", "tbf"]
# Eight links of 200 Mbit/s take 0.8 of a core, one stream of 1 Gbit/s as well: 0.5 to 1 s of CPU per Gbit. Above this
# rate, the delay line would take more than a core.
_MOST_BITS_PER_SECOND: Final = 2 * 10**9


def choose_mechanism(links: LinkMap, num_workers: int, emulator: Emulator, *, has_delay_line: bool) -> Mechanism:
    """Return the mechanism that limits a cell's links: ``delay_line`` (a process that delays frames) or ``kernel``.

    Args:
        links: The cell's shaped links.
        num_workers: Number of workers.
        emulator: The emulator that the scenario asks for. ``delay_line`` gives ``delay_line``, and ``netem`` gives
            ``kernel``. ``auto`` gives ``delay_line`` if ``has_delay_line`` is True and the links either have delay,
            jitter or loss, or have low rates: a sum of at most 2 Gbit/s in each direction. Else it gives ``kernel``.
        has_delay_line: Whether the kernel can run the delay line.
    """
    if emulator != "auto":
        return "delay_line" if emulator == "delay_line" else "kernel"
    each = [links.of(rank) for rank in range(num_workers)]
    total = max(sum(link.up_bits_per_second for link in each), sum(link.down_bits_per_second for link in each))
    # Unlike the kernel's token bucket, the delay line limits even small messages to the rate.
    is_for_delay_line = links.needs_latency or total <= _MOST_BITS_PER_SECOND
    return "delay_line" if has_delay_line and is_for_delay_line else "kernel"


def used_emulator(links: LinkMap, mechanism: Mechanism) -> UsedEmulator:
    """Return the name of the links' emulator, as records give it.

    For the mechanism ``delay_line``, the name is ``delay_line``. For ``kernel``, the name is ``netem`` if any link has
    delay, jitter or loss. If no link has any, the name is ``tbf`` (a token bucket without netem).
    """
    if mechanism == "delay_line":
        return "delay_line"
    return "netem" if links.needs_latency else "tbf"
