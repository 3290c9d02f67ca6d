import dataclasses
import itertools
from dataclasses import dataclass
from typing import Literal

import pytest
import torch
import torch.distributed as dist

from liecbench.algorithms.comm.exchange import NonFiniteMessageError
from liecbench.algorithms.comm.group_exchange import GroupExchange
from liecbench.algorithms.comm.recording import RecordingExchange
from liecbench.algorithms.comm.schedule import Schedule
from liecbench.algorithms.comm.timing import Counters, Stopwatch
from liecbench.compressors import QSGD, Identity, RandomK, RngKey, Sign, TernGrad
from tests.distributed import run_ranks

Server = Literal["root", "sharded"]
NUMELS = [1, 7, 8, 9, 31, 33, 1001]
SERVERS: list[Server] = ["root", "sharded"]


@dataclass
class Seen:
    mean: torch.Tensor
    counters: Counters
    scheduled: tuple[int, int, int]


def vector(numel: int, rank: int) -> torch.Tensor:
    return torch.randn(numel, generator=torch.Generator().manual_seed(100 * numel + rank))


def scheduled_mean(numel: int, server: Server) -> tuple[int, int, int]:
    rank, world_size = dist.get_rank(), dist.get_world_size()
    recording = RecordingExchange(world_size, server)
    recording.mean(torch.empty(numel, device="meta"))
    schedule = Schedule(world_size=world_size, server=server, calls=tuple(recording.calls))
    return (*schedule.payload_bytes()[rank], schedule.num_messages()[rank])


def exchange_all() -> list[Seen]:
    group = dist.new_group()
    assert group is not None
    seen = []
    for numel, server in itertools.product(NUMELS, SERVERS):
        watch = Stopwatch()
        exchange = GroupExchange(group, server, watch)
        mean = exchange.mean(vector(numel, dist.get_rank()))
        seen.append(Seen(mean, watch.counters, scheduled_mean(numel, server)))
    return seen


@pytest.mark.parametrize("world_size", [1, 3, 4])
def test_the_mean_is_the_mean_and_its_bytes_are_counted(world_size: int) -> None:
    ranks = run_ranks(exchange_all, world_size)

    for index, (numel, _) in enumerate(itertools.product(NUMELS, SERVERS)):
        expected = torch.stack([vector(numel, rank) for rank in range(world_size)]).mean(dim=0)
        for seen in (rank[index] for rank in ranks):
            torch.testing.assert_close(seen.mean, expected)
            assert torch.equal(seen.mean, ranks[0][index].mean)
            counted = seen.counters
            assert (counted.sent_bytes, counted.received_bytes, counted.sent_messages) == seen.scheduled


def mean_of_huge(server: Server) -> torch.Tensor:
    group = dist.new_group()
    assert group is not None
    return GroupExchange(group, server, Stopwatch()).mean(torch.full((64,), 3e38))


@pytest.mark.parametrize("server", SERVERS)
def test_finite_values_whose_sum_overflows_have_a_mean(server: Server) -> None:
    for mean in run_ranks(mean_of_huge, 3, server):
        torch.testing.assert_close(mean, torch.full((64,), 3e38))


def meet_a_nan(server: Server) -> tuple[bool, torch.Tensor, torch.Tensor]:
    """Send a NaN from rank 1; return whether an error came, the memory after it, and the mean of a later exchange."""
    group = dist.new_group()
    assert group is not None
    exchange, sign = GroupExchange(group, server, Stopwatch()), Sign()
    memory = torch.full((exchange.local_shard(64).numel,), 0.5)
    bad = torch.ones(64)
    if dist.get_rank() == 1:
        bad[40] = torch.nan
    raised = False
    try:
        exchange.pull(sign, exchange.push(sign, bad), out=torch.empty(64), error=memory)
    except NonFiniteMessageError:
        raised = True
    return raised, memory, exchange.mean(torch.full((64,), float(dist.get_rank())))


@pytest.mark.parametrize("server", SERVERS)
def test_a_nan_on_one_rank_raises_on_all_ranks_and_changes_no_memory(server: Server) -> None:
    for raised, memory, afterwards in run_ranks(meet_a_nan, 3, server):
        assert raised
        assert torch.equal(memory, torch.full_like(memory, 0.5))
        assert torch.equal(afterwards, torch.ones(64))


UNBIASED = [
    QSGD(levels=1),
    TernGrad(),
    RandomK(0.25, unbiased=True),
    RandomK(0.25, unbiased=True, shared_mask=False),
]
ROUND_TRIPS, NUMEL = 100, 640


def mean_of_means(server: Server) -> list[float]:
    """Return for each unbiased compressor the mean element of the result, ÷ that of the true mean."""
    group = dist.new_group()
    exchange = GroupExchange(group, server, Stopwatch())
    mine = vector(NUMEL, dist.get_rank()).abs()
    true = (vector(NUMEL, 0).abs() + vector(NUMEL, 1).abs()) / 2
    found = []
    for compressor in UNBIASED:
        total = torch.zeros(NUMEL)
        for step in range(ROUND_TRIPS):
            exchange.begin(step, 0)
            mean = exchange.push(compressor, mine.clone())
            total += exchange.pull(compressor, mean, out=torch.empty(NUMEL))
        found.append(float(total.mean() / ROUND_TRIPS / true.mean()))
    return found


@pytest.mark.parametrize("server", SERVERS)
def test_push_and_pull_together_are_unbiased(server: Server) -> None:
    (found, _) = run_ranks(mean_of_means, 2, server)

    assert found == pytest.approx([1.0] * len(UNBIASED), abs=0.05)


def entries_of_own_positions(server: Server) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean of vectors of ones and twos at each sender's own positions, and the same from the positions."""
    group = dist.new_group()
    assert group is not None
    compressor, world_size = RandomK(0.25, shared_mask=False), dist.get_world_size()
    exchange = GroupExchange(group, server, Stopwatch())
    exchange.begin(3, 1)
    expected = torch.zeros(64)
    for shard in exchange.shards(64):
        for sender in range(world_size):
            key = RngKey(step=3, block=1, shard=shard.owner, sender=sender)
            positions = compressor.with_rng(key).positions(shard.numel)
            expected[shard.start : shard.stop][positions] += (sender + 1) / world_size
    mean = exchange.push(compressor, torch.full((64,), dist.get_rank() + 1.0))
    return exchange.pull(Identity(), mean, out=torch.empty(64)), expected


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_knows_each_senders_own_positions(server: Server) -> None:
    for actual, expected in run_ranks(entries_of_own_positions, 3, server):
        torch.testing.assert_close(actual, expected)
        assert len(set(expected.tolist())) > 3


@dataclass
class Gathered:
    mean: torch.Tensor
    chosen: torch.Tensor
    residual: torch.Tensor
    counters: Counters
    scheduled: tuple[int, int, int]
    met_nan: bool


def gather_all() -> list[Gathered]:
    """Gather with Identity in place, and with Sign; then send a NaN from rank 1."""
    group = dist.new_group()
    assert group is not None
    rank, world_size = dist.get_rank(), dist.get_world_size()
    found = []
    for numel in (1, 33):
        watch = Stopwatch()
        exchange = GroupExchange(group, "sharded", watch)
        mean, residual, chosen = vector(numel, rank), torch.empty(numel), torch.empty(numel)
        exchange.gather(Identity(), mean, out=mean)
        exchange.gather(
            Sign(),
            vector(numel, rank),
            out=chosen,
            residual=residual,
            combine=lambda messages, out: out.copy_(Sign().decompress(messages[-1])),
        )
        recording = RecordingExchange(world_size, "sharded")
        for compressor in (Identity(), Sign()):
            recording.gather(compressor, torch.empty(numel, device="meta"), out=torch.empty(numel, device="meta"))
        schedule = Schedule(world_size=world_size, calls=tuple(recording.calls))
        scheduled = (*schedule.payload_bytes()[rank], schedule.num_messages()[rank])
        counted = dataclasses.replace(watch.counters)
        found.append(Gathered(mean, chosen, residual, counted, scheduled, meets_nan(exchange, numel)))
    return found


def meets_nan(exchange: GroupExchange, numel: int) -> bool:
    nan = torch.full((numel,), float("nan") if dist.get_rank() == dist.get_world_size() - 1 else 1.0)
    try:
        exchange.gather(Identity(), nan, out=torch.empty(numel))
    except NonFiniteMessageError:
        return True
    return False


@pytest.mark.parametrize("world_size", [1, 3])
def test_a_gather_brings_every_vector_to_every_rank(world_size: int) -> None:
    ranks = run_ranks(gather_all, world_size)

    for index, numel in enumerate((1, 33)):
        vectors = [vector(numel, rank) for rank in range(world_size)]
        signs = [torch.where(v >= 0, 1.0, -1.0) * v.abs().mean() for v in vectors]
        each = 4 * numel + 4 + -(-numel // 8)  # bytes that a rank sends to another: the vector, and its compressed form
        for rank, seen in enumerate(found[index] for found in ranks):
            torch.testing.assert_close(seen.mean, torch.stack(vectors).mean(dim=0))
            assert torch.equal(seen.mean, ranks[0][index].mean)
            torch.testing.assert_close(seen.chosen, signs[-1])  # ``combine`` gets the messages in the order of ranks
            torch.testing.assert_close(seen.residual, vectors[rank] - signs[rank])
            sent = (world_size - 1) * each
            counted = seen.counters
            assert (counted.sent_bytes, counted.received_bytes) == (sent, sent)
            assert (counted.sent_bytes, counted.received_bytes, counted.sent_messages) == seen.scheduled
            assert seen.met_nan
