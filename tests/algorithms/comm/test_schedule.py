import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from liecbench.algorithms import (
    CSER,
    LIEC,
    PSGD,
    Algorithm,
    AllReduce,
    AllReduceFP16,
    Block,
    LocalSGD,
    MemSGD,
    Neolithic,
    SignSGD,
)
from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.algorithms.comm.schedule import Schedule, ScheduleError
from liecbench.compressors import Sign

# 100 elements in one block: Sign sends a scale of 4 bytes and a bit per element; float32 takes 400 bytes.
SHAPES = [torch.Size((9, 10)), torch.Size((10,))]
SIGN, DENSE = 4 + math.ceil(100 / 8), 400
# Sharded over 3 ranks: 40, 40 and 20 elements, because shards have a multiple of 8.
SHARDS = [40, 40, 20]


def schedule(algorithm: Algorithm, world_size: int = 3, step: int = 0) -> Schedule:
    return algorithm.schedule(SHAPES, world_size=world_size, step=step)


def calls(schedule: Schedule) -> list[list[tuple[int, int, int]]]:
    """Sender, receiver and bytes of each push or pull."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    for transfer in schedule.transfers:
        found.setdefault(transfer.call, []).append((transfer.sender, transfer.receiver, transfer.num_bytes))
    return list(found.values())


def test_plain_ddp_sends_each_parameters_own_type_in_buckets_of_one_type() -> None:
    algorithm, halved = AllReduce(block_bytes="whole"), AllReduceFP16(block_bytes="whole")
    algorithm.parameter_dtypes = halved.parameter_dtypes = [torch.bfloat16, torch.float32]

    assert sorted(reduced.num_bytes for reduced in schedule(algorithm).all_reduces) == [4 * 10, 2 * 90]
    assert sorted(reduced.num_bytes for reduced in schedule(halved).all_reduces) == [2 * 10, 2 * 90]


def test_workers_push_to_the_root_and_pull_from_it() -> None:
    actual = schedule(MemSGD(compressor=Sign(), server="root"))

    assert calls(actual) == [[(1, 0, SIGN), (2, 0, SIGN)], [(0, 1, DENSE), (0, 2, DENSE)]]
    assert actual.payload_bytes() == [(2 * DENSE, 2 * SIGN), (SIGN, DENSE), (SIGN, DENSE)]
    assert actual.num_messages() == [2, 1, 1]


def test_sharded_every_rank_is_the_server_of_a_shard() -> None:
    pushes, pulls = calls(schedule(PSGD()))

    assert pushes == [(s, owner, 4 * n) for owner, n in enumerate(SHARDS) for s in range(3) if s != owner]
    assert pulls == [(owner, r, 4 * n) for owner, n in enumerate(SHARDS) for r in range(3) if r != owner]


def test_a_server_answers_when_it_has_all_pushes_and_workers_go_on_when_they_have_the_answer() -> None:
    actual = schedule(LIEC(compressor=Sign(), average_period=1, server="root")).transfers

    assert [(t.sender, t.call, t.block, t.depends_on) for t in actual] == [
        (1, 0, 0, ()),
        (2, 0, 0, ()),
        (0, 1, 0, (0, 1)),
        (0, 1, 0, (0, 1)),
        (1, 2, None, (2,)),
        (2, 2, None, (3,)),
        (0, 3, None, (4, 5)),
        (0, 3, None, (4, 5)),
    ]


@pytest.mark.parametrize(
    ("algorithm", "kinds"),
    [
        (LIEC(compressor=Sign(), average_period=3, server="root"), {0: [SIGN, SIGN], 2: [DENSE] * 4, 3: [SIGN, SIGN]}),
        (CSER(compressor=Sign(), average_period=3, server="root"), {1: [SIGN, DENSE], 2: [SIGN, DENSE] * 2}),
        (LocalSGD(average_period=3, server="root"), {1: [], 2: [DENSE, DENSE], 5: [DENSE, DENSE]}),
        # With two voters there are ties: 5 elements a byte in the place of 8.
        (SignSGD(server="root"), {0: [SIGN, 4 + 20]}),
    ],
    ids=["liec", "cser", "local_sgd", "signsgd"],
)
def test_bytes_of_each_call_of_a_step_between_two_ranks(algorithm: Algorithm, kinds: dict[int, list[int]]) -> None:
    for step, expected in kinds.items():
        assert [call[0][2] for call in calls(schedule(algorithm, world_size=2, step=step))] == expected


def test_blocks_are_sent_one_after_the_other_from_the_last_parameter_to_the_first() -> None:
    actual = schedule(PSGD(block_bytes=40, server="root"), world_size=2).transfers

    assert [(t.block, t.num_bytes, t.depends_on) for t in actual] == [
        (0, 40, ()),
        (0, 40, (0,)),
        (1, 360, (1,)),
        (1, 360, (2,)),
    ]


def test_ddp_all_reduces_a_bucket_when_it_is_full() -> None:
    shapes = [torch.Size((n,)) for n in (5, 6, 30, 4)]
    actual = AllReduceFP16(block_bytes=100).schedule(shapes, world_size=3, step=0)

    # From the last: 16 + 120 bytes reach 100; 24 + 20 do not. In half precision each is half of that.
    assert [(r.bucket, r.num_bytes, r.depends_on) for r in actual.all_reduces] == [(0, 68, ()), (1, 22, ())]
    assert (actual.payload_bytes(), actual.num_messages()) == ([(120, 120)] * 3, [2] * 3)


@given(st.integers(1, 10_000), st.integers(2, 20), st.sampled_from(["root", "sharded"]))
def test_all_ranks_together_receive_what_they_send(numel: int, world_size: int, server: ServerPlace) -> None:
    algorithm = MemSGD(compressor=Sign(), server=server)
    ranks = algorithm.schedule([torch.Size((numel,))], world_size=world_size, step=0).payload_bytes()

    assert sum(sent for sent, _ in ranks) == sum(received for _, received in ranks)


METHODS = [
    lambda server: Neolithic(compressor=Sign(), rounds=3, server=server),
    lambda server: CSER(compressor=Sign(), average_period=1, server=server),
    lambda server: PSGD(block_bytes=40, server=server),
]


@given(st.integers(1, 9), st.sampled_from(["root", "sharded"]), st.sampled_from(METHODS))
def test_sums_over_calls_are_those_over_single_messages(
    world_size: int, server: ServerPlace, method: Callable[[ServerPlace], Algorithm]
) -> None:
    actual = schedule(method(server), world_size=world_size)
    sent, received, messages = ([0] * world_size for _ in range(3))
    chains: list[int] = []
    for transfer in actual.transfers:
        sent[transfer.sender] += transfer.num_bytes
        received[transfer.receiver] += transfer.num_bytes
        messages[transfer.sender] += 1
        chains.append(1 + max((chains[before] for before in transfer.depends_on), default=0))

    assert actual.payload_bytes() == list(zip(sent, received, strict=True))
    assert actual.num_messages() == messages
    assert actual.num_sequential_transfers() == max(chains, default=0)


def test_a_block_lists_its_parameters_and_leaves_out_empty_ones() -> None:
    shapes = [torch.Size((n,)) for n in (5, 0, 30, 4)]

    assert PSGD(block_bytes=40).schedule(shapes, world_size=2, step=0).blocks == ((3,), (2,), (0,))
    assert AllReduce(block_bytes=100).schedule(shapes, world_size=2, step=0).blocks == ((3, 2), (1, 0))


@pytest.mark.parametrize("algorithm", [PSGD(), AllReduce(), MemSGD(compressor=Sign())], ids=lambda a: type(a).__name__)
def test_one_rank_sends_nothing(algorithm: Algorithm) -> None:
    assert schedule(algorithm, world_size=1).payload_bytes() == [(0, 0)]


def test_recording_changes_nothing_and_takes_no_memory() -> None:
    algorithm = LIEC(compressor=Sign(), average_period=1)
    algorithm.schedule([torch.Size((10**6, 10**6))], world_size=64, step=7)

    assert (algorithm.step, algorithm.blocks, algorithm.memories(), algorithm.device.type) == (0, [], {}, "cpu")


class Peeking(PSGD):
    """A method that reads the gradient on the host."""

    def reduce(self, block: Block) -> Tensor:
        return super().reduce(block) if block.gradient.norm() > 1 else block.gradient


def test_a_method_that_reads_values_cannot_be_recorded_and_the_error_says_why() -> None:
    with pytest.raises(ScheduleError, match=r"what Peeking sends cannot be recorded: .*must not read"):
        schedule(Peeking())


def test_recording_does_not_import_torchs_compiler() -> None:
    program = """
import sys, torch
from liecbench.algorithms import CSER, EF21BC, LIEC, DoubleSqueeze
from liecbench.compressors import Sign
methods = [method(compressor=Sign()) for method in (DoubleSqueeze, EF21BC)]
methods += [method(compressor=Sign(), average_period=1) for method in (CSER, LIEC)]
for method in methods:
    method.schedule([torch.Size((9, 10)), torch.Size((10,))], world_size=3, step=0)
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
