import time
from typing import Literal

import pytest
import torch
import torch.distributed as dist

from liecbench.algorithms.comm.group_exchange import GroupExchange
from liecbench.algorithms.comm.pacing import Pacer, _Direction, framed_bytes
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.compressors import Identity
from tests.distributed import run_ranks

RATE = 8_000_000  # a megabyte a second
PAYLOAD = 144_800  # a hundred full frames, with 66 bytes of headers and half an acknowledgement of 66 each
SECONDS = 0.1547
NUMEL = 4 * 36_200


def test_small_messages_after_idle_are_held_to_the_rate() -> None:
    direction = _Direction(RATE / 8)
    through = [direction.take(payload, at) for payload, at in [(821, 10.0), (821, 10.0), (PAYLOAD, 10.0), (821, 20.0)]]

    framed = (821 + 99) / 1e6
    assert through == pytest.approx([10.0 + framed, 10.0 + 2 * framed, 10.0 + 2 * framed + SECONDS, 20.0 + framed])


def start_pacing(pacer: Pacer) -> None:
    pacer.start(up_bits_per_second=RATE, down_bits_per_second=RATE)


def paced() -> dict[str, float]:
    """Return the seconds from sending to the paced arrival of messages from rank 0, or ranks 0 and 2, to rank 1."""
    pacer, rank, seconds = Pacer(), dist.get_rank(), {}
    cases = {"three": [0, 0, 0], "from two": [0, 2]}
    for name, senders in cases.items():
        start_pacing(pacer)
        start = time.monotonic()
        dist.barrier()
        for _ in range(senders.count(rank)):
            pacer.record_send(1, PAYLOAD)
        dist.barrier()
        if rank == 1:
            for sender in senders:
                pacer.wait_for_arrival(sender, PAYLOAD, time.monotonic())
        seconds[name] = time.monotonic() - start
    return seconds


def test_messages_arrive_at_the_rate() -> None:
    (_, found, _) = run_ranks(paced, 3)

    assert found["three"] >= 3 * SECONDS
    assert found["from two"] >= 2 * SECONDS


def own_time() -> float:
    """Return the seconds of a small message over a fast link, after one whose receiver had waited for 20 ms."""
    pacer = Pacer()
    pacer.start(up_bits_per_second=10**10, down_bits_per_second=10**10)
    waiting_since = time.monotonic()
    pacer.record_send(0, 821)
    time.sleep(0.02)
    pacer.wait_for_arrival(0, 821, waiting_since)
    start = time.monotonic()
    pacer.record_send(0, 821)
    pacer.wait_for_arrival(0, 821, time.monotonic())
    return time.monotonic() - start


def test_the_machines_own_time_for_a_small_message_is_added() -> None:
    assert run_ranks(own_time, 1)[0] > 0.019


def exchange_seconds(server: Literal["root", "sharded"]) -> tuple[list[float], bool]:
    """Return the seconds of a dense exchange with and without pacing, and whether both gave the same result."""
    pacer = Pacer()
    exchange = GroupExchange(dist.new_group(), server, Stopwatch(), pacer=pacer)
    mine = torch.arange(NUMEL, dtype=torch.float32) + dist.get_rank()
    seconds, means = [], []
    for holds in (True, False):
        if holds:
            start_pacing(pacer)
        else:
            pacer.stop()
        dist.barrier()
        start = time.monotonic()
        exchange.begin(0, 0)
        mean = exchange.push(Identity(), mine.clone())
        means.append(exchange.pull(Identity(), mean, out=torch.empty(NUMEL)))
        dist.barrier()
        seconds.append(time.monotonic() - start)
    return seconds, torch.equal(*means)


@pytest.mark.parametrize(("server", "bytes_each_way"), [("root", 12 * PAYLOAD), ("sharded", 6 * PAYLOAD)])
def test_an_exchange_takes_the_wire_time_of_its_busiest_rank(
    server: Literal["root", "sharded"], bytes_each_way: int
) -> None:
    """Of 4 ranks the root receives 3 vectors of 4 shards each; with a sharded server each rank sends 2 · 3 shards."""
    for (held, free), same in run_ranks(exchange_seconds, 4, server):
        assert same
        assert held >= bytes_each_way / PAYLOAD * SECONDS
        assert free < held


@pytest.mark.parametrize(("payload", "frames"), [(0, 0), (1, 1), (1448, 1), (1449, 2), (10**6, 691)])
def test_every_frame_has_its_headers(payload: int, frames: int) -> None:
    assert payload + 66 * frames == framed_bytes(payload)
