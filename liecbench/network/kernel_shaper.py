"""One direction of a link, shaped by the kernel."""

from typing import Final

from pyroute2 import IPRoute

from liecbench.network.frames import FRAME_BYTES
from liecbench.network.hub import LARGEST_PACKET_BYTES, interface_index
from liecbench.network.link import Link, burst_bytes

# The token bucket of a direction that is not shaped. Its rate is the highest that a scenario can ask for.
_UNSHAPED_BITS_PER_SECOND, _UNSHAPED_BURST_BYTES = 32 * 10**9, 2**24
# Long enough for all ranks to send to one rank at once. If the queue dropped packets, TCP's retransmissions would
# dominate the measured times.
_QUEUE_BYTES: Final = 64 * 2**20
# Twice the largest packet, and how long these bytes may take at the link's rate.
_BACKLOG_BYTES, _BACKLOG_SECONDS = 2 * LARGEST_PACKET_BYTES, 0.02


class KernelShaper:
    """The shaper of one direction of a link: a token bucket limits the rate, and netem adds delay, jitter and loss."""

    # The bucket is changed in place and never removed: its removal would drop packets, and TCP would recover slowly.

    def __init__(self, route: IPRoute, name: str) -> None:
        self._route, self._interface = route, interface_index(route, name)
        self._has_bucket = self._has_netem = False

    def unshape(self) -> None:
        """Remove the rate limit, and set delay, jitter and loss to 0."""
        if self._has_bucket:
            self.count()

    def count(self) -> None:
        """Count the bytes of this direction from now on, and remove its rate limit, delay, jitter and loss.

        If the bytes are already counted, the count goes on. ``passed_bytes`` returns the count.
        """
        self._set_bucket(_UNSHAPED_BITS_PER_SECOND, _UNSHAPED_BURST_BYTES)
        self._clear_netem()

    def shape(self, bits_per_second: int, link: Link) -> None:
        """Limit the shaper's direction to ``bits_per_second``, and add the delay, jitter and loss of ``link``.

        The rates of ``link`` are ignored.
        """
        self._set_bucket(bits_per_second, burst_bytes(bits_per_second))
        if link.needs_latency or self._has_netem:
            self._set_netem(link.delay_seconds, link.jitter_seconds, link.loss)

    def hold_back(self, bits_per_second: int) -> None:
        """Limit the rate at which packets reach the delay line, and remove this shaper's own delay, jitter and loss.

        The delay line is the process that emulates the link. A burst of up to ``backlog_bytes(bits_per_second)`` bytes
        passes at once. Later packets wait in this shaper's queue.

        Args:
            bits_per_second: The link's rate in this direction.
        """
        # While packets wait in the queue, TCP stops adding more (TCP small queues).
        self._set_bucket(bits_per_second, backlog_bytes(bits_per_second))
        self._clear_netem()

    def _set_bucket(self, bits_per_second: int, burst: int) -> None:
        self._route.tc(
            "change" if self._has_bucket else "add",
            "tbf",
            self._interface,
            handle="1:",
            rate=bits_per_second // 8,
            burst=burst,
            limit=_QUEUE_BYTES,
        )
        self._has_bucket = True

    def _clear_netem(self) -> None:
        if self._has_netem:
            self._set_netem(delay_seconds=0.0, jitter_seconds=0.0, loss=0.0)

    def _set_netem(self, delay_seconds: float, jitter_seconds: float, loss: float) -> None:
        self._route.tc(
            "change" if self._has_netem else "add",
            "netem",
            self._interface,
            parent="1:1",
            handle="10:",
            delay=round(delay_seconds * 1e6),
            jitter=round(jitter_seconds * 1e6),
            loss=100 * loss,
            limit=_QUEUE_BYTES // FRAME_BYTES,
        )
        self._has_netem = True

    def passed_bytes(self) -> int:
        """Return the number of bytes that have passed the token bucket since the bucket was created.

        The first call of ``shape``, ``count`` or ``hold_back`` creates the bucket. The number includes the headers of
        every Ethernet frame.
        """
        # Not the interface's own counter, which counts only one header per offloaded packet of up to 64 kB.
        (shaper,) = (q for q in self._route.get_qdiscs(self._interface) if q.get_attr("TCA_KIND") == "tbf")
        return int(shaper.get_attr("TCA_STATS2").get_attr("TCA_STATS_BASIC")["bytes"])


def backlog_bytes(bits_per_second: int) -> int:
    """Return the size of the largest burst, in bytes, that passes to the delay line faster than the link's rate.

    The delay line is the process that emulates the link. The burst is two packets of the largest size, or what the link
    carries in 20 ms if that is less, but at least ``burst_bytes(bits_per_second)``.

    Args:
        bits_per_second: The link's rate in this direction.
    """
    # A bucket smaller than a packet splits it, so that the first bytes of the packet arrive before its last ones.
    at_most = min(_BACKLOG_BYTES, int(bits_per_second / 8 * _BACKLOG_SECONDS))
    return max(burst_bytes(bits_per_second), at_most)
