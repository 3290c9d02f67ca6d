"""The operation ``after_idle`` of ``liecbench bench link`` on one rank: send small messages over an idle link."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import torch
import torch.distributed as dist

from liecbench.host.punctuality import punctual
from liecbench.launch.plans import TransferCase
from liecbench.worker.cell_link import CellLink

# Long enough for the frames and acknowledgements of earlier messages to have passed the links. On links with a delay,
# they may still be on their way, but do not hold up other frames any more.
_IDLE_SECONDS: Final = 0.003
# Links with and without limits are measured in turns, because a message takes 150 or 230 µs of the machine's time for a
# while, depending on the cores on which processes run.
_TURNS: Final = 8
# Exchanges per turn that count the bytes for the answer alone.
_ANSWERS: Final = 3


def measure_after_idle(case: TransferCase, link: CellLink) -> dict[str, Any]:
    """Time ``case.messages`` messages that rank 0 sends back to back to rank 1 over an idle link. Collective.

    Returns:
        The same dict on every rank.
        ``"seconds"``: for each repeat, the seconds from the start of sending to the arrival of the last message.
        ``"unshaped_seconds"``: for each repeat, the seconds from the start of sending a single message to its arrival,
        over an unshaped link. These seconds are the machine's own work, which ``"seconds"`` also contains.
        ``"wire_bytes"``: the bytes, with headers, that rank 0 sends for the messages of one repeat; 0 if unknown.
    """
    exchange = _EXCHANGES[min(dist.get_rank(), 2)]
    # Rank 0 asks for rank 1's answer, and acknowledges it, after its messages: these bytes take none of their time.
    single, answer = (dataclasses.replace(case, messages=messages) for messages in (1, 0))
    link.shape()  # counts bytes from now on
    unshaped, shaped, answers = list[_Exchange](), list[_Exchange](), list[_Exchange]()
    num_turns = min(_TURNS, case.repeats)
    with punctual():
        for turn in range(num_turns):
            repeats = range(turn, case.repeats, num_turns)
            link.unshape()
            # A single message, because the machine's work on the others is hidden while the shaped link is busy.
            unshaped += [exchange(single, link) for _ in repeats]
            link.shape()
            exchange(case, link)
            shaped += [exchange(case, link) for _ in repeats]
            answers += [exchange(answer, link) for _ in range(_ANSWERS)]
        link.unshape()
    num_bytes, answer_bytes = (statistics.median(one.num_bytes for one in some) for some in (shaped, answers))
    figures = [
        {
            "seconds": [one.seconds for one in shaped],
            "unshaped_seconds": [one.seconds for one in unshaped],
            "wire_bytes": num_bytes - answer_bytes,
        }
    ]
    dist.broadcast_object_list(figures, src=0)
    return figures[0]


class _Exchange(NamedTuple):
    """The time and the bytes of one exchange: rank 0 sends messages to rank 1, and rank 1 answers.

    Attributes:
        seconds: On rank 0, the time from the start of sending until the last message arrives at rank 1; 0 on other
            ranks.
        num_bytes: On rank 0, the wire bytes that rank 0 sends, or 0 if they are unknown; 0 on other ranks.
    """

    seconds: float
    num_bytes: int


def _send(case: TransferCase, link: CellLink) -> _Exchange:
    payloads = [torch.zeros(case.size, dtype=torch.uint8) for _ in range(case.messages)]
    arrived = torch.zeros(1, dtype=torch.float64)
    time.sleep(_IDLE_SECONDS)
    # After the pause: rank 1 announces its receives, which this rank acknowledges before it sends.
    before = link.wire_bytes()
    start = time.monotonic()
    sent = []
    for payload in payloads:
        if link.pacer is not None and link.pacer.is_active:
            link.pacer.record_send(1, case.size)
        sent.append(dist.isend(payload, 1))
    for work in sent:
        assert work is not None, "this rank is in the group"
        work.wait()
    dist.recv(arrived, 1)
    after = link.wire_bytes()
    num_bytes = 0 if before is None or after is None else after[0] - before[0]
    return _Exchange(float(arrived.item()) - start, num_bytes)


def _receive(case: TransferCase, link: CellLink) -> _Exchange:
    payloads = [torch.zeros(case.size, dtype=torch.uint8) for _ in range(case.messages)]
    for work in [dist.irecv(payload, 0) for payload in payloads]:
        assert work is not None, "this rank is in the group"
        waiting_since = time.monotonic()
        work.wait()
        if link.pacer is not None and link.pacer.is_active:
            link.pacer.wait_for_arrival(0, case.size, waiting_since)
    # Both ranks run on one machine, whose monotonic clock they share.
    dist.send(torch.tensor([time.monotonic()], dtype=torch.float64), 0)
    return _Exchange(0.0, 0)


def _stay_idle(_case: TransferCase, _link: CellLink) -> _Exchange:
    return _Exchange(0.0, 0)


_EXCHANGES: Final[tuple[Callable[[TransferCase, CellLink], _Exchange], ...]] = (_send, _receive, _stay_idle)
