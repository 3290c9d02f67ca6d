"""Emulation of slow links: a rank waits before it uses a message, on machines whose kernel cannot shape traffic."""

import tempfile
import time
from collections import deque
from pathlib import Path

import torch
import torch.distributed as dist

# TCP's payload in a full Ethernet frame, and the frame's headers (TCP with timestamps).
SEGMENT_BYTES, _HEADER_BYTES = 1448, 66
# Every two segments cause one acknowledgement of 66 bytes in the other direction: 33 bytes per segment.
ACKNOWLEDGEMENT_BYTES = 33
# An upper bound of the messages in flight from one rank to another; an exchange has only a few.
_MAX_IN_FLIGHT = 64
# The machine's own time for a message is the least of the last so many messages of at most so many bytes.
_SMALL_MESSAGES, _SMALL_BYTES = 15, 2**14
# A sleep ends up to this late; the moving average of the lateness takes this part of the last one.
_MOST_LATE_SECONDS, _SMOOTHING = 150e-6, 1 / 16


class _Direction:
    """One direction of a link: messages pass one after the other, at the link's rate."""

    def __init__(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second
        self._free_at = -float("inf")

    def take(self, payload_bytes: int, at: float) -> float:
        """Add a message that reaches the link at time ``at``, and return the time at which it has passed the link.

        Times are in seconds.
        """
        num_bytes = framed_bytes(payload_bytes, ACKNOWLEDGEMENT_BYTES)
        self._free_at = max(self._free_at, at) + num_bytes / self._rate
        return self._free_at


class Pacer:
    """Delays messages between the ranks of one machine as slow links would: the receiver waits for each message.

    Every rank has an up link and a down link. Messages pass a link one after the other, each in bytes ÷ rate seconds,
    where the bytes include headers and acknowledgements. A message passes the sender's up link and the receiver's down
    link at the same time. TCP's slow start and the effect of flows on each other are not modelled. The constructor is
    collective in the default group.
    """

    def __init__(self) -> None:
        self.is_active = False
        self._rank, num_ranks = dist.get_rank(), dist.get_world_size()
        # Senders write the monotonic times at which a message's first and last byte reach the receiver's down link.
        times = _shared_zeros(num_ranks * num_ranks * _MAX_IN_FLIGHT * 2)
        self._times = times.view(num_ranks, num_ranks, _MAX_IN_FLIGHT, 2).numpy()
        self._num_sent, self._num_received = [0] * num_ranks, [0] * num_ranks
        self._own_seconds = deque[float](maxlen=_SMALL_MESSAGES)
        self._late_seconds = 0.0

    def start(self, *, up_bits_per_second: int, down_bits_per_second: int) -> None:
        """Delay each message from now on, as links of the given rates would.

        Call this function on every rank before any rank sends a message.

        Args:
            up_bits_per_second: The rate of this rank's up link.
            down_bits_per_second: The rate of this rank's down link.
        """
        self.is_active = True
        self._up = _Direction(up_bits_per_second / 8)
        self._down = _Direction(down_bits_per_second / 8)

    def stop(self) -> None:
        """Deliver messages without waiting from now on."""
        self.is_active = False

    def record_send(self, peer: int, payload_bytes: int) -> None:
        """Tell ``peer`` when the first and the last byte of a message will reach the down link of ``peer``.

        Call this method before the message is sent.

        Args:
            peer: The rank that receives the message.
            payload_bytes: The bytes of the message.
        """
        now = time.monotonic()
        slot = self._times[self._rank, peer, self._num_sent[peer] % _MAX_IN_FLIGHT]
        slot[:] = now, self._up.take(payload_bytes, now)
        self._num_sent[peer] += 1

    def wait_for_arrival(self, peer: int, payload_bytes: int, waiting_since: float) -> None:
        """Wait until the time when a received message from ``peer`` would have arrived over the emulated links.

        Args:
            peer: The rank that sent the message.
            payload_bytes: The bytes of the message.
            waiting_since: When this rank began to wait for the message, on the monotonic clock.
        """
        first, last = self._times[peer, self._rank, self._num_received[peer] % _MAX_IN_FLIGHT]
        self._num_received[peer] += 1
        if waiting_since < first and payload_bytes <= _SMALL_BYTES:
            self._own_seconds.append(time.monotonic() - first)
        # The least, because a receiver on the sender's core often waits until the sender has sent its other messages.
        # It is added, because on a network the time to deliver a message comes after the transfer.
        own_seconds = min(self._own_seconds, default=0.0)
        self._sleep_until(max(last, self._down.take(payload_bytes, first)) + own_seconds)

    def _sleep_until(self, due: float) -> None:
        """Sleep until about ``due``, in seconds of ``time.monotonic``.

        A sleep ends late, so request an end that is earlier by the average lateness of past sleeps.
        """
        asked = due - self._late_seconds
        seconds = asked - time.monotonic()
        if seconds > 0:
            time.sleep(seconds)
            late = min(time.monotonic() - asked, _MOST_LATE_SECONDS)
            self._late_seconds += _SMOOTHING * (late - self._late_seconds)


def _shared_zeros(numel: int) -> torch.Tensor:
    """Return float64 zeros of shape ``[numel]`` in memory that all ranks of the machine share. Collective.

    The memory is a mapped file, which is deleted before this function returns.
    """
    with tempfile.TemporaryDirectory(prefix="liecbench-pacing-") as directory:
        names = [str(Path(directory, "times"))]
        dist.broadcast_object_list(names, src=0)
        shared = torch.from_file(names[0], shared=True, size=numel, dtype=torch.float64)
        dist.barrier()
    return shared


def framed_bytes(payload_bytes: int, extra_bytes_per_segment: int = 0) -> int:
    """Return the bytes of the Ethernet frames that carry a payload.

    Args:
        payload_bytes: The bytes of the payload.
        extra_bytes_per_segment: Bytes that each segment of up to 1448 payload bytes has besides its 66 bytes of
            headers.
    """
    return payload_bytes + (_HEADER_BYTES + extra_bytes_per_segment) * -(-payload_bytes // SEGMENT_BYTES)
