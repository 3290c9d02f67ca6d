"""Torch's own operations over a shaped link, on one rank of the link benchmark."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.launch.messages import TransferCase
from liecbench.worker.cell_link import CellLink

# Does its transfer as often as it is told.
_Operation = Callable[[int], None]


def measure(case: TransferCase, link: CellLink) -> dict[str, Any]:
    """Seconds of every repeat on its slowest rank; of a stream, seconds a message."""
    operation = _OPERATIONS[case.operation](case.size)
    link.shape()
    operation(1)
    mine = [_timed(operation, case.messages) for _ in range(case.repeats)]
    link.unshape()
    everyone: list[list[float]] = [[]] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    return {"seconds": [max(ranks) / case.messages for ranks in zip(*everyone, strict=True)]}


def _timed(operation: _Operation, count: int) -> float:
    # The message that ends the barrier is the last thing on the link before the clock starts.
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


def _stream(size: int) -> _Operation:
    """From each even rank to the next one, two messages under way, so that the link never waits for a rank."""
    rank, payloads = dist.get_rank(), [_bytes(size), _bytes(size)]
    peer = rank + 1 - 2 * (rank % 2)
    if peer == dist.get_world_size():
        return _repeated(lambda: None)
    move = dist.irecv if rank % 2 else dist.isend

    def stream(count: int) -> None:
        moving = deque[dist.Work | None]()
        for number in range(count):
            if len(moving) == len(payloads):
                _wait(moving.popleft())
            moving.append(move(payloads[number % 2], peer))
        while moving:
            _wait(moving.popleft())

    return stream


def _wait(work: dist.Work | None) -> None:
    assert work is not None, "this rank belongs to the group"
    work.wait()


def _round_trip(size: int) -> _Operation:
    rank, payload = dist.get_rank(), _bytes(size)
    if rank > 1:
        return _repeated(lambda: None)
    first, second = (dist.send, dist.recv) if rank == 0 else (dist.recv, dist.send)

    def there_and_back() -> None:
        first(payload, 1 - rank)
        second(payload, 1 - rank)

    return _repeated(there_and_back)


def _all_reduce(size: int) -> _Operation:
    vector = torch.zeros(size // 4)
    return _repeated(lambda: dist.all_reduce(vector))


def _broadcast(size: int) -> _Operation:
    payload = _bytes(size)
    return _repeated(lambda: dist.broadcast(payload, src=0))


def _gather(size: int) -> _Operation:
    payload, num_ranks = _bytes(size), dist.get_world_size()
    places = [_bytes(size) for _ in range(num_ranks)] if dist.get_rank() == 0 else None
    return _repeated(lambda: dist.gather(payload, places, dst=0))


def _all_to_all(size: int) -> _Operation:
    num_ranks = dist.get_world_size()
    sent, received = _bytes(size // num_ranks * num_ranks), _bytes(size // num_ranks * num_ranks)
    return _repeated(lambda: dist.all_to_all_single(received, sent))


def _all_gather(size: int) -> _Operation:
    payload, places = _bytes(size), [_bytes(size) for _ in range(dist.get_world_size())]
    return _repeated(lambda: dist.all_gather(places, payload))


_OPERATIONS: dict[str, Callable[[int], _Operation]] = {
    "stream": _stream,
    "round_trip": _round_trip,
    "all_reduce": _all_reduce,
    "broadcast": _broadcast,
    "gather": _gather,
    "all_to_all": _all_to_all,
    "all_gather": _all_gather,
}
