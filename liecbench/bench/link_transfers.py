"""One rank's part of ``liecbench bench link``: time torch's operations over a shaped link."""

import dataclasses
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.bench.after_idle import measure_after_idle
from liecbench.launch.plans import TransferCase
from liecbench.network.link_map import LinkMap
from liecbench.worker.cell_link import CellLink, slowest_path

# Carries out this rank's part of a transfer as many times as the argument says.
_Operation = Callable[[int], None]


def measure_transfers(case: TransferCase, link: CellLink) -> dict[str, Any]:
    """Measure one case of the link benchmark over ``link``. Collective.

    Returns:
        For the operation ``after_idle``, the result of ``measure_after_idle``. For any other operation, a dict whose
        only key is ``"seconds"``. Its value is a list with one number per repeat: the seconds per operation on
        the slowest rank, as a mean over ``case.messages`` operations. For ``stream``, an operation is one message.
    """
    if case.operation == "after_idle":
        return measure_after_idle(case, link)
    is_stream = case.operation == "stream"
    operation = _stream(case.size, _num_in_flight(case)) if is_stream else _OPERATIONS[case.operation](case.size)
    link.shape()
    operation(1)
    seconds = [_timed(operation, case.messages) for _ in range(case.repeats)]
    link.unshape()
    ranks: list[list[float]] = [[]] * dist.get_world_size()
    dist.all_gather_object(ranks, seconds)
    return {"seconds": [max(repeat) / case.messages for repeat in zip(*ranks, strict=True)]}


def _timed(operation: _Operation, count: int) -> float:
    # The last message on the link before the clock starts is the one that ends the barrier.
    dist.barrier()
    start = time.perf_counter()
    operation(count)
    return time.perf_counter() - start


def _repeated(action: Callable[[], object]) -> _Operation:
    def repeat(count: int) -> None:
        for _ in range(count):
            action()

    return repeat


def _bytes(size: int) -> Tensor:
    return torch.zeros(size, dtype=torch.uint8)


def _num_in_flight(case: TransferCase) -> int:
    """Return the number of messages to keep in flight, so that a stream keeps the link busy in spite of delays.

    Gloo sends a message only after the receiver has announced that it is ready. So each message takes the time of two
    trips, and each trip passes two links with a delay.
    """
    path = slowest_path(LinkMap.parse(case.link), 2)
    assert path is not None, "a benchmark's links are shaped"
    return 1 + dataclasses.replace(path, delay_seconds=2 * path.delay_seconds).messages_in_flight(case.size)


def _stream(size: int, num_in_flight: int) -> _Operation:
    """Return an operation that streams messages of ``size`` bytes from each even rank to the next odd rank."""
    rank, payload = dist.get_rank(), _bytes(size)
    peer = rank + 1 - 2 * (rank % 2)
    if peer == dist.get_world_size():
        return _repeated(lambda: None)
    move = dist.irecv if rank % 2 else dist.isend

    def stream(count: int) -> None:
        in_flight = deque[dist.Work | None]()
        for _ in range(count):
            if len(in_flight) == num_in_flight:
                _wait(in_flight.popleft())
            in_flight.append(move(payload, peer))  # nobody reads what arrives in it
        while in_flight:
            _wait(in_flight.popleft())

    return stream


def _wait(work: dist.Work | None) -> None:
    assert work is not None, "this rank is in the group"
    work.wait()


def _round_trip(size: int) -> _Operation:
    rank, payload = dist.get_rank(), _bytes(size)
    if rank > 1:
        return _repeated(lambda: None)
    first, second = (dist.send, dist.recv) if rank == 0 else (dist.recv, dist.send)

    def round_trip() -> None:
        first(payload, 1 - rank)
        second(payload, 1 - rank)

    return _repeated(round_trip)


def _all_reduce(size: int) -> _Operation:
    vector = torch.zeros(size // 4)
    return _repeated(lambda: dist.all_reduce(vector))


def _broadcast(size: int) -> _Operation:
    payload = _bytes(size)
    return _repeated(lambda: dist.broadcast(payload, src=0))


def _gather(size: int) -> _Operation:
    payload, num_ranks = _bytes(size), dist.get_world_size()
    buffers = [_bytes(size) for _ in range(num_ranks)] if dist.get_rank() == 0 else None
    return _repeated(lambda: dist.gather(payload, buffers, dst=0))


def _all_to_all(size: int) -> _Operation:
    num_ranks = dist.get_world_size()
    sent, received = _bytes(size // num_ranks * num_ranks), _bytes(size // num_ranks * num_ranks)
    return _repeated(lambda: dist.all_to_all_single(received, sent))


def _all_gather(size: int) -> _Operation:
    payload, buffers = _bytes(size), [_bytes(size) for _ in range(dist.get_world_size())]
    return _repeated(lambda: dist.all_gather(buffers, payload))


_OPERATIONS: dict[str, Callable[[int], _Operation]] = {
    "round_trip": _round_trip,
    "all_reduce": _all_reduce,
    "broadcast": _broadcast,
    "gather": _gather,
    "all_to_all": _all_to_all,
    "all_gather": _all_gather,
}
