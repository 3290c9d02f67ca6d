"""The transports of vectors on a GPU, run on the CPU: they must move what the Gloo transport moves."""

import itertools
from dataclasses import dataclass
from typing import Literal

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms.comm.exchange import NonFiniteMessageError
from liecbench.algorithms.comm.gloo import GlooTransport
from liecbench.algorithms.comm.gloo_staged import StagedGlooTransport
from liecbench.algorithms.comm.group_exchange import GroupExchange
from liecbench.algorithms.comm.nccl import NcclTransport
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.algorithms.comm.transport import Transport
from liecbench.compressors import QSGD, Compressor, Identity, Sign, TopK
from tests.distributed import run_ranks

CPU = torch.device("cpu")
TRANSPORTS = ["gloo", "gloo_staged", "nccl"]
SERVERS: list[Literal["root", "sharded"]] = ["root", "sharded"]
COMPRESSORS: list[Compressor] = [Identity(), Sign(), TopK(0.1), QSGD()]


def transport(name: str, group: dist.ProcessGroup, server: Literal["root", "sharded"], watch: Stopwatch) -> Transport:
    match name:
        case "gloo_staged":
            return StagedGlooTransport(group, server, watch, None, None, CPU)
        case "nccl":
            return NcclTransport(group, server, watch, CPU)
    return GlooTransport(group, server, watch)


@dataclass
class Seen:
    outs: list[Tensor]
    memory: Tensor
    mean: Tensor
    bytes: tuple[int, int, int]
    flags: list[bool]


def exchange_all() -> dict[tuple[str, str, int], list[Seen]]:
    """Run two compressed exchanges with a memory, and a dense one in place, on every transport."""
    group = dist.new_group()
    assert group is not None
    seen: dict[tuple[str, str, int], list[Seen]] = {}
    for name, server, numel in itertools.product(TRANSPORTS, SERVERS, [7, 1001]):
        for compressor in COMPRESSORS:
            watch, flags = Stopwatch(), list[Tensor]()
            exchange = GroupExchange(
                group, server, watch, transport=transport(name, group, server, watch), on_flag=flags.append
            )
            memory, outs = torch.zeros(exchange.local_shard(numel).numel), []
            for step in range(2):
                exchange.begin(step, 0)
                mine = torch.randn(numel, generator=torch.Generator().manual_seed(10 * step + dist.get_rank()))
                mean = exchange.push(compressor, mine, residual=mine)
                outs.append(exchange.pull(compressor, mean, out=torch.empty(numel), error=memory))
            dense = exchange.mean(torch.full((numel,), float(dist.get_rank())))
            counted = watch.counters
            moved = (counted.sent_bytes, counted.received_bytes, counted.sent_messages)
            found = Seen(outs, memory, dense, moved, [bool(flag) for flag in flags])
            seen.setdefault((name, server, numel), []).append(found)
    return seen


@pytest.mark.parametrize("world_size", [1, 2, 5])
def test_every_transport_moves_the_same(world_size: int) -> None:
    for seen in run_ranks(exchange_all, world_size):
        for (name, server, numel), found in seen.items():
            for actual, expected in zip(found, seen["gloo", server, numel], strict=True):
                assert all(torch.equal(a, e) for a, e in zip(actual.outs, expected.outs, strict=True))
                assert torch.equal(actual.memory, expected.memory)
                assert torch.equal(actual.mean, torch.full((numel,), (world_size - 1) / 2))
                assert actual.bytes == expected.bytes
                assert actual.flags == ([True] * 3 if name == "nccl" else [])


def meet_a_nan(name: str) -> tuple[bool, list[bool]]:
    """Send a NaN from rank 1, then finite vectors; return whether an error came, and the flags."""
    group = dist.new_group()
    assert group is not None
    watch, flags = Stopwatch(), list[Tensor]()
    exchange = GroupExchange(
        group, "sharded", watch, transport=transport(name, group, "sharded", watch), on_flag=flags.append
    )
    bad = torch.ones(64)
    if dist.get_rank() == 1:
        bad[40] = torch.nan
    raised = False
    try:
        exchange.pull(Sign(), exchange.push(Sign(), bad), out=torch.empty(64))
    except NonFiniteMessageError:
        raised = True
    exchange.mean(torch.ones(64))
    return raised, [bool(flag) for flag in flags]


def test_a_nan_is_an_error_or_over_nccl_a_flag_on_all_ranks() -> None:
    assert run_ranks(meet_a_nan, 3, "gloo_staged") == [(True, [])] * 3
    assert run_ranks(meet_a_nan, 3, "nccl") == [(False, [False, True])] * 3
