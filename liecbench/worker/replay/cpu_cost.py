"""Estimate the CPU seconds that this machine needs to replay one step, for all ranks and the delay line together.

The delay line is the process that emulates the links. The constants were measured on 2 busy cores, with 2 to 16 ranks.
The links' real rates (emulated rates ÷ ``Slowdown.rates``) were 5 to 125 Mbit/s. Of 44 measured steps, four fifths took
0.81 to 1.28 times the estimate, and all took 0.79 to 1.49 times the estimate.
"""

import math
from typing import Final

from liecbench.algorithms.comm.pacing import SEGMENT_BYTES
from liecbench.algorithms.comm.schedule import Schedule
from liecbench.network.link_map import LinkMap
from liecbench.network.slowdown import Slowdown

# Per message of a push, pull or gather between 2 ranks (among more ranks, messages share wake-ups), and per message of
# a ring.
_MESSAGE_SECONDS: Final = 1.6e-3
_HOP_SECONDS: Final = 5e-4
# Per segment of TCP at a high rate, and what a lower rate adds, because fewer segments then share a frame.
_SEGMENT_SECONDS: Final = 6e-6
_SHARED_FRAME_BITS: Final = 180.0
# Below one segment per millisecond, each segment is a frame that wakes a rank and the delay line.
_SINGLE_FRAMES_BITS_PER_SECOND: Final = 12e6
_SINGLE_FRAME_BITS: Final = 850.0
_MOST_SEGMENT_SECONDS: Final = 1.7e-4


def replay_cpu_seconds(schedule: Schedule, links: LinkMap, slowdown: Slowdown) -> float:
    """Estimate the CPU seconds that this machine needs to replay one step, for all ranks and links together.

    Args:
        schedule: The messages of all ranks in the step, with the emulated sizes.
        links: The links, which must be shaped, with the emulated rates.
        slowdown: The factors of the replay. Real link rates are the emulated rates ÷ ``slowdown.rates``. Real messages
            have the emulated bytes ÷ ``slowdown.message_divisor``.
    """
    rate = min(link.lower_bits_per_second for link in links.links()) / slowdown.rates
    segments = sum(sent for sent, _ in schedule.payload_bytes()) / slowdown.message_divisor / SEGMENT_BYTES
    return (
        schedule.num_call_messages() * _MESSAGE_SECONDS / math.sqrt(schedule.world_size)
        + schedule.num_ring_messages() * _HOP_SECONDS
        + segments * _segment_seconds(rate)
    )


def _segment_seconds(bits_per_second: float) -> float:
    if bits_per_second < _SINGLE_FRAMES_BITS_PER_SECOND:
        return _SEGMENT_SECONDS + min(_MOST_SEGMENT_SECONDS, _SINGLE_FRAME_BITS / bits_per_second)
    return _SEGMENT_SECONDS + _SHARED_FRAME_BITS / bits_per_second
