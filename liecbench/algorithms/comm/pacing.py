"""Links held by waiting, where the kernel shapes none."""

import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist

_SEGMENT_BYTES, _HEADER_BYTES = 1448, 66
# One for every two segments, of traffic the other way that is as much as this.
_ACKNOWLEDGEMENT_BYTES = 33
# Between two ranks; an exchange has at most a few.
_MOST_UNDER_WAY = 64


class _Bucket:
    """When the bytes that a direction takes are through, at its rate and behind those before them."""

    def __init__(self, bytes_per_second: float, burst_bytes: int) -> None:
        self._rate, self._burst_seconds = bytes_per_second, burst_bytes / bytes_per_second
        self._free_at = -float("inf")

    def take(self, payload_bytes: int, at: float) -> float:
        """The moment at which a message that comes at ``at`` is through; a bucket that was full lets a burst pass."""
        num_bytes = framed_bytes(payload_bytes, _ACKNOWLEDGEMENT_BYTES)
        self._free_at = max(self._free_at, at - self._burst_seconds) + num_bytes / self._rate
        return max(at, self._free_at)


class Pacer:
    """Holds messages between the ranks of one machine to the rates of their links, by waiting where they arrive.

    A message departs when its sender's up link is free of those before it, and is through after its bytes ÷ the rate,
    headers and acknowledgements included; it has arrived when the receiver's down link has had them, too. The two
    moments that the sender knows stand in memory that the ranks share, on the monotonic clock of their machine. Slow
    start and what two flows do to each other are left out. Making one is collective, in the default group.
    """

    def __init__(self) -> None:
        self.holds = False
        self._rank, num_ranks = dist.get_rank(), dist.get_world_size()
        self._moments = (
            _shared_zeros(num_ranks * num_ranks * _MOST_UNDER_WAY * 2).view(num_ranks, num_ranks, -1, 2).numpy()
        )
        self._num_sent, self._num_received = [0] * num_ranks, [0] * num_ranks

    def hold(
        self, *, up_bits_per_second: int, down_bits_per_second: int, burst_bytes: tuple[int, int], delay_seconds: float
    ) -> None:
        """Pace from here on; on every rank before any message. ``delay_seconds`` is one way, on each of two links.

        ``burst_bytes`` is what an idle link lets through at once, up and down.
        """
        self.holds = True
        self._delay = delay_seconds
        self._up = _Bucket(up_bits_per_second / 8, burst_bytes[0])
        self._down = _Bucket(down_bits_per_second / 8, burst_bytes[1])

    def release(self) -> None:
        """Let messages through as they come."""
        self.holds = False

    def depart(self, peer: int, payload_bytes: int) -> None:
        """Note when the first and the last byte of a message, sent after this, come to its receiver's link."""
        now = time.monotonic()
        place = self._moments[self._rank, peer, self._num_sent[peer] % _MOST_UNDER_WAY]
        place[:] = now + self._delay, self._up.take(payload_bytes, now) + self._delay
        self._num_sent[peer] += 1

    def arrive(self, peer: int, payload_bytes: int) -> None:
        """Wait until a message that has come from ``peer`` would be here."""
        first, last = self._moments[peer, self._rank, self._num_received[peer] % _MOST_UNDER_WAY]
        self._num_received[peer] += 1
        due = max(last, self._down.take(payload_bytes, first)) + self._delay
        time.sleep(max(0.0, due - time.monotonic()))


def _shared_zeros(numel: int) -> torch.Tensor:
    """The same float64 numbers in every rank of the machine; the file behind them is gone when this returns."""
    with tempfile.TemporaryDirectory(prefix="liecbench-pacing-") as directory:
        names = [str(Path(directory, "moments"))]
        dist.broadcast_object_list(names, src=0)
        shared = torch.from_file(names[0], shared=True, size=numel, dtype=torch.float64)
        dist.barrier()
    return shared


def framed_bytes(payload_bytes: int, more_per_segment: int = 0) -> int:
    """Payload with the headers of the Ethernet frames that carry it: of each 1448 bytes 66 (TCP with timestamps)."""
    return payload_bytes + (_HEADER_BYTES + more_per_segment) * -(-payload_bytes // _SEGMENT_BYTES)
