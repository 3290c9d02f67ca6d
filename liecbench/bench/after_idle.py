"""The operation ``after_idle`` of ``liecbench bench link`` on one rank: send small messages over an idle link."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Final

import torch
import torch.distributed as dist

from liecbench.launch.messages import TransferCase
from liecbench.worker.cell_link import CellLink

# Long enough for the frames and acknowledgements of earlier messages to have passed the links. On links with a delay,
# they may still be on their way, but do not hold up other frames any more.
_IDLE_SECONDS: Final = 0.003
# Repeats that count the bytes for the answer alone.
_ANSWER_REPEATS: Final = 20


def measure_after_idle(case: TransferCase, link: CellLink) -> dict[str, Any]:
    """Time ``case.messages`` messages that rank 0 sends to rank 1 at once, after a pause. Collective.

    Returns:
        ``"seconds"``: for each repeat, the seconds from the start of sending to the arrival of the last message.
        ``"unshaped_seconds"``: the same over the link without limits. ``"wire_bytes"``: the bytes with headers that
        rank 0 sends for the messages of one repeat, without those for rank 1's answer; 0 if unknown.
    """
    exchange = _EXCHANGES[min(dist.get_rank(), 2)]
    link.shape()  # counts bytes from now on
    link.unshape()
    unshaped = [exchange(case) for _ in range(case.repeats)]
    link.shape()
    shaped, num_bytes = _times_and_bytes(exchange, case, link)
    # Rank 0 asks for rank 1's answer, and acknowledges it, after its messages: these bytes take none of their time.
    _, for_answer = _times_and_bytes(exchange, dataclasses.replace(case, messages=0, repeats=_ANSWER_REPEATS), link)
    link.unshape()
    figures = [{"seconds": shaped, "unshaped_seconds": unshaped, "wire_bytes": num_bytes - for_answer}]
    dist.broadcast_object_list(figures, src=0)
    return figures[0]


def _times_and_bytes(
    exchange: Callable[[TransferCase], float], case: TransferCase, link: CellLink
) -> tuple[list[float], float]:
    """Return the seconds of each repeat, and the bytes that this rank sends per repeat; 0 bytes if unknown."""
    exchange(case)
    before = link.wire_bytes()
    seconds = [exchange(case) for _ in range(case.repeats)]
    after = link.wire_bytes()
    return seconds, 0.0 if before is None or after is None else (after[0] - before[0]) / case.repeats


def _send(case: TransferCase) -> float:
    payloads = [torch.zeros(case.size, dtype=torch.uint8) for _ in range(case.messages)]
    arrived = torch.zeros(1, dtype=torch.float64)
    time.sleep(_IDLE_SECONDS)
    start = time.monotonic()
    sent = [dist.isend(payload, 1) for payload in payloads]
    for work in sent:
        assert work is not None, "this rank is in the group"
        work.wait()
    dist.recv(arrived, 1)
    return float(arrived.item()) - start


def _receive(case: TransferCase) -> float:
    payloads = [torch.zeros(case.size, dtype=torch.uint8) for _ in range(case.messages)]
    for work in [dist.irecv(payload, 0) for payload in payloads]:
        assert work is not None, "this rank is in the group"
        work.wait()
    # Both ranks run on one machine, whose monotonic clock they share.
    dist.send(torch.tensor([time.monotonic()], dtype=torch.float64), 0)
    return 0.0


def _stay_idle(_case: TransferCase) -> float:
    return 0.0


_EXCHANGES: Final[tuple[Callable[[TransferCase], float], ...]] = (_send, _receive, _stay_idle)
