"""The seconds that a message takes besides the transfer of its bytes, measured between two ranks."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.gloo import GlooTransport
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.algorithms.comm.transport import Traffic
from liecbench.compressors.identity import Identity

_NUM_WARM_UP, _NUM_TIMED = 20, 200
_TINY_NUMEL = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCost:
    """The seconds that a tiny message takes on an unlimited link, if each rank has a processor of its own.

    A larger message takes these seconds in addition to the transfer of its bytes.

    Attributes:
        message: Seconds in which two ranks send one message to each other at the same time.
        hop: Seconds of one hop of a ring all-reduce, in which every rank sends one message to the next rank.
    """

    message: float
    hop: float


def measure_message_cost(group: dist.ProcessGroup) -> MessageCost:
    """Measure a ``MessageCost`` with tiny messages between ranks 0 and 1, and return the cost on every rank.

    Call this function on all ranks at once, while the links are unlimited. The ranks above 1 only wait.

    Args:
        group: A process group of all ranks.
    """
    pair = dist.new_group([0, 1])
    found = [0.0, 0.0]
    if dist.get_rank() < 2:
        found = [_exchange_seconds(group), _all_reduce_seconds(pair)]
        assert isinstance(pair, dist.ProcessGroup)
        dist.barrier(pair)
        dist.destroy_process_group(pair)
    values = torch.tensor(found, dtype=torch.float64)
    dist.broadcast(values, src=0)
    return MessageCost(message=float(values[0]), hop=float(values[1]))


def _exchange_seconds(group: dist.ProcessGroup) -> float:
    transport, compressor = GlooTransport(group, "sharded", Stopwatch()), Identity()
    peer, message = 1 - dist.get_rank(), compressor.compress(torch.zeros(_TINY_NUMEL))

    def exchange() -> None:
        traffic = Traffic({peer: lambda: message}, {peer: lambda: transport.recv_buffer(compressor, _TINY_NUMEL)})
        traffic.is_dense = False  # a dense exchange would begin with a barrier of all ranks
        for _ in transport.exchange(traffic, limit_bytes=1):
            pass

    return _least_seconds(exchange)


def _all_reduce_seconds(pair: dist.ProcessGroup) -> float:
    vector = torch.zeros(_TINY_NUMEL)
    # Between two ranks, an all-reduce passes one message in each of its two phases.
    return _least_seconds(lambda: dist.all_reduce(vector, group=pair)) / 2


def _least_seconds(work: Callable[[], object]) -> float:
    """Return the 10th percentile of the seconds of ``work`` over many repetitions.

    This percentile is near the time on free processors, because other processes only make the work slower.
    """
    seconds = []
    for number in range(_NUM_WARM_UP + _NUM_TIMED):
        began = time.perf_counter()
        work()
        if number >= _NUM_WARM_UP:
            seconds.append(time.perf_counter() - began)
    return sorted(seconds)[len(seconds) // 10]
