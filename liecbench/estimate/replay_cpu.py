"""Estimate the share of this machine's processors that a replay uses, as a session measures it to raise its dilation.

The constants were measured on 2 cores, with 2 and 4 ranks on links of 5 to 100 Mbit/s.
"""

from typing import TYPE_CHECKING

from liecbench.algorithms.comm.pacing import SEGMENT_BYTES

if TYPE_CHECKING:
    from liecbench.algorithms.comm.schedule import Schedule

# CPU seconds of the ranks: per message of a push or pull, per message of a ring, and per full frame.
_MESSAGE_SECONDS, _HOP_SECONDS, _SEGMENT_SECONDS = 0.85e-3, 0.28e-3, 30e-6
# Frames per full one, with acknowledgements, and further frames per message, with the receiver's announcement.
_FRAMES_PER_SEGMENT, _FRAMES_PER_MESSAGE = 1.5, 2.5
# CPU seconds of the delay line: per frame, and per time that it wakes up; many frames per second share a wake-up.
_FRAME_SECONDS, _WAKE_SECONDS, _SHARING_FRAMES = 10e-6, 140e-6, 6000.0


def replay_cpu_seconds(schedule: "Schedule", real_seconds: float, divisor: int = 1) -> float:
    """Return the CPU seconds of all ranks, and of the delay line, for a step.

    Args:
        schedule: What all ranks send in the step.
        real_seconds: What the step takes.
        divisor: How many times smaller messages are in reality.
    """
    hops = schedule.num_ring_messages()
    messages = sum(schedule.num_messages()) - schedule.world_size * len(schedule.all_reduces)
    segments = sum(sent for sent, _ in schedule.payload_bytes()) / divisor / SEGMENT_BYTES
    frames = _FRAMES_PER_SEGMENT * segments + _FRAMES_PER_MESSAGE * (messages + hops)
    wake = _WAKE_SECONDS / (1 + frames / real_seconds / _SHARING_FRAMES)
    own = messages * _MESSAGE_SECONDS + hops * _HOP_SECONDS + segments * _SEGMENT_SECONDS
    return own + frames * (_FRAME_SECONDS + wake)
