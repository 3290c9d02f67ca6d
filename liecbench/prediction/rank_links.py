"""The rates and delays of all ranks' links, and the seconds that a link needs for messages."""

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from liecbench.algorithms.comm.exposure import LinkRates
from liecbench.algorithms.comm.pacing import ACKNOWLEDGEMENT_BYTES, SEGMENT_BYTES, framed_bytes
from liecbench.network.link_map import LinkMap

# Gloo writes a header of 48 bytes before each message, and the receiver's announcement is such a header alone
# (the struct ``Op`` of gloo/transport/tcp/pair.h).
GLOO_HEADER_BYTES = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """Messages of about equal size that pass a link in one direction: their number, and their total payload bytes."""

    number: int
    num_bytes: int

    def framed_bytes(self, header_bytes: int) -> float:
        """Return the total bytes of the Ethernet frames that carry the messages, with all headers.

        ``header_bytes`` is the size of Gloo's header in front of each message; 0 if messages have none.
        """
        return self.number * framed_bytes(round(self.num_bytes / self.number) + header_bytes) if self.number else 0.0

    def answer_bytes(self, header_bytes: int) -> float:
        """Return the total bytes of the Ethernet frames that the receiver of these messages sends to their sender.

        The receiver acknowledges all messages. Over Gloo, the receiver also announces that it is ready for a message,
        by a frame with only a header.

        Args:
            header_bytes: The bytes of Gloo's header, which precedes each message and is the payload of each
                announcement. 0 if messages have no header; then nothing is announced.
        """
        if not self.number:
            return 0.0
        segments = self.number * -(-(round(self.num_bytes / self.number) + header_bytes) // SEGMENT_BYTES)
        announcements = self.number * framed_bytes(header_bytes) if header_bytes else 0
        return ACKNOWLEDGEMENT_BYTES * segments + announcements


@dataclass(frozen=True, kw_only=True)
class RankLinks:
    """The links of ``world_size`` ranks.

    ``rates`` below is a ``LinkRates``: the up rate and the down rate, in bits per second. ``delay`` is the link's delay
    in each direction, in seconds.

    Attributes:
        world_size: The number of ranks.
        default: (rates, delay) of the link of every rank that is not in ``special``.
        special: (rank, rates, delay) of each rank with a link of its own.
        efficiency: The rate that frames reach ÷ the link's nominal rate. The rates in ``default`` and ``special`` are
            already multiplied by it.
    """

    world_size: int
    default: tuple[LinkRates, float]
    special: tuple[tuple[int, LinkRates, float], ...] = ()
    efficiency: float = 1.0

    @classmethod
    def of(cls, links: LinkMap, world_size: int, efficiency: float = 1.0) -> "RankLinks":
        """Return the links of ranks 0 to ``world_size`` − 1, with rates × ``efficiency``. ``links`` must be shaped."""
        assert links.default is not None, "the link is shaped"

        def rates(rank: int | None) -> tuple[LinkRates, float]:
            link = links.default if rank is None else links.of(rank)
            assert link is not None
            up, down = link.up_bits_per_second, link.down_bits_per_second
            found = LinkRates(up_bits_per_second=up * efficiency, down_bits_per_second=down * efficiency)
            return found, link.delay_seconds

        special = tuple((rank, *rates(rank)) for rank, _ in links.workers if rank < world_size)
        return cls(world_size=world_size, default=rates(None), special=special, efficiency=efficiency)

    def representatives(self, ranks: Iterable[int] = ()) -> "list[tuple[int, LinkRates, float]]":
        """Return (rank, link rates, link delay in seconds) for a selection of ranks that covers all different links.

        The selected ranks are:

        - Every rank with a link of its own.
        - One rank with the default link, if there is one: the lowest above 0, or else rank 0.
        - All of ``ranks``.
        """
        own = {rank for rank, _, _ in self.special}
        plain = {rank for rank in ranks if rank not in own}
        # Rank 0 may be the server, so that no other rank is like it.
        first = next((rank for rank in itertools.chain(range(1, self.world_size), (0,)) if rank not in own), None)
        if first is not None:
            plain.add(first)
        return [*self.special, *((rank, *self.default) for rank in sorted(plain))]

    @functools.cached_property
    def slowest_bits_per_second(self) -> float:
        """The rate of the slowest direction of any link."""
        return min(min(rates.up_bits_per_second, rates.down_bits_per_second) for rates, _ in self._all())

    @functools.cached_property
    def trip_seconds(self) -> float:
        """The longest time in seconds from a byte's departure at one rank to its arrival at another.

        It is the sum of the two largest link delays.
        """
        return sum(sorted(self._delays())[-2:])

    @functools.cached_property
    def root_trip_seconds(self) -> float:
        """The longest time in seconds that a byte takes one way between rank 0 and another rank.

        It is the delay of rank 0's link plus the largest delay of another rank's link.
        """
        root = next((delay for rank, _, delay in self.special if rank == 0), self.default[1])
        others = [delay for rank, _, delay in self.special if rank != 0]
        if len(others) < self.world_size - 1:
            others.append(self.default[1])
        return root + max(others, default=0.0)

    @functools.cached_property
    def mean_trip_seconds(self) -> float:
        """The mean seconds that a byte takes from a rank to the next rank of a ring: twice the mean link delay."""
        own = [delay for _, _, delay in self.special]
        plain = self.world_size - len(own)
        return 2 * (sum(own) + plain * self.default[1]) / self.world_size

    def _delays(self) -> list[float]:
        plain = min(2, self.world_size - len(self.special))
        return [*(delay for _, _, delay in self.special), *[self.default[1]] * plain]

    def _all(self) -> list[tuple[LinkRates, float]]:
        found = [(rates, delay) for _, rates, delay in self.special]
        return [*found, self.default] if len(found) < self.world_size else found


def wire_seconds(rates: LinkRates, sent: Messages, received: Messages, *, announced: bool) -> float:
    """Return the least seconds in which a link carries messages in both directions at once.

    The headers of frames, and the acknowledgements that receivers send, are included.

    Args:
        rates: The link's rates.
        sent: The messages that the link's rank sends.
        received: The messages that the link's rank receives.
        announced: True if messages are sent by Gloo. Two more things are then included for each message: Gloo's header
            in front of the message, and an announcement by the receiver that it is ready for the message.
    """
    header = GLOO_HEADER_BYTES if announced else 0
    up = sent.framed_bytes(header) + received.answer_bytes(header)
    down = received.framed_bytes(header) + sent.answer_bytes(header)
    return max(8 * up / rates.up_bits_per_second, 8 * down / rates.down_bits_per_second)


def one_way_seconds(bits_per_second: float, payload_bytes: float) -> float:
    """Return the seconds that an idle link takes to transmit a payload in one direction.

    The headers of the payload's frames are included. The link's delay is not.
    """
    return 8 * framed_bytes(round(payload_bytes)) / bits_per_second
