"""The rate that TCP reaches on links that lose segments."""

import math
from typing import Final

from liecbench.network.frames import FRAME_BYTES
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap

# For TCP Reno that counts every acknowledged segment, as Linux does.
_CONSTANT: Final = math.sqrt(3 / 2)
# The part of a round trip that no link causes: this machine's kernel and processes.
_OWN_SECONDS: Final = 2e-4


def stream_bits_per_second(sender: Link, receiver: Link) -> float:
    """Return the estimated bits per second of one TCP stream from ``sender`` to ``receiver``.

    The bits are those of Ethernet frames with their headers. The result is the lower of the sender's up rate and the
    receiver's down rate. If a link loses segments, the result is also at most 1.22 × b ÷ (t × √p), where b is the bits
    of a full frame, t the seconds of a round trip, and p the share of segments that is lost on the way. The formula is
    by Mathis, Semke, Mahdavi and Ott ("The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm", 1997).
    """
    rate = float(min(sender.up_bits_per_second, receiver.down_bits_per_second))
    loss = 1 - (1 - sender.loss) * (1 - receiver.loss)
    if not loss:
        return rate
    round_trip = 2 * (sender.delay_seconds + receiver.delay_seconds) + 8 * FRAME_BYTES / rate + _OWN_SECONDS
    return min(rate, 8 * FRAME_BYTES * _CONSTANT / (round_trip * math.sqrt(loss)))


def slowest_stream(links: LinkMap, sender: Link | None = None, receiver: Link | None = None) -> float:
    """Return the estimated bits per second of the slowest TCP stream between two workers.

    Args:
        links: The workers' links, which must be shaped (rate-limited).
        sender: The link of the worker that sends; None to take the slowest stream over all senders.
        receiver: The link of the worker that receives; None to take the slowest stream over all receivers.
    """
    senders = links.links() if sender is None else (sender,)
    receivers = links.links() if receiver is None else (receiver,)
    return min(stream_bits_per_second(up, down) for up in senders for down in receivers)
