from typing import Literal

import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import Parameter

from liecbench.algorithms.comm.partition import Block, ServerPlace, cut_shards, plan_blocks, plan_buckets

SERVERS: list[ServerPlace] = ["root", "sharded"]
sizes = st.lists(st.integers(1, 5000), min_size=1, max_size=30)


@given(sizes, st.integers(1, 20_000))
def test_blocks_hold_every_tensor_once_in_reverse_order(numels: list[int], block_bytes: int) -> None:
    blocks = plan_blocks(numels, block_bytes)

    assert [index for block in blocks for index in block] == list(reversed(range(len(numels))))


@given(sizes, st.integers(1, 20_000))
def test_only_a_single_tensor_exceeds_block_bytes(numels: list[int], block_bytes: int) -> None:
    for block in plan_blocks(numels, block_bytes):
        assert len(block) == 1 or sum(4 * numels[i] for i in block) <= block_bytes


@given(sizes)
def test_whole_is_one_block(numels: list[int]) -> None:
    assert len(plan_blocks(numels, "whole")) == 1


@pytest.mark.parametrize(
    ("block_bytes", "expected"),
    [(40, [[3], [2, 1], [0]]), (44, [[3, 2], [1], [0]]), (4, [[3], [2], [1], [0]]), ("whole", [[3, 2, 1, 0]])],
)
def test_a_block_is_closed_by_the_first_tensor_that_does_not_fit(
    block_bytes: int | Literal["whole"], expected: list[list[int]]
) -> None:
    assert plan_blocks([9, 7, 3, 8], block_bytes) == expected


@pytest.mark.parametrize(
    ("block_bytes", "expected"),
    [(40, [[3], [2, 1], [0]]), (64, [[3, 2], [1, 0]]), (76, [[3], [2, 1, 0]]), (4, [[3], [2], [1], [0]])],
)
def test_in_forward_order_a_block_takes_the_first_tensors_that_fit(block_bytes: int, expected: list[list[int]]) -> None:
    assert plan_blocks([9, 7, 3, 8], block_bytes, "forward") == expected


@given(sizes, st.integers(1, 20_000))
def test_forward_order_fills_as_backward_order_does_from_the_other_end(numels: list[int], block_bytes: int) -> None:
    last = len(numels) - 1
    mirrored = [[last - i for i in block] for block in plan_blocks(numels[::-1], block_bytes)]

    assert plan_blocks(numels, block_bytes, "forward") == [block[::-1] for block in mirrored[::-1]]


def buckets_of_ddp(numels: list[int], dtypes: list[torch.dtype], limits: list[int]) -> list[list[int]]:
    """Return the buckets that DDP makes when gradients have arrived from the last tensor to the first."""
    order = list(reversed(range(len(numels))))
    tensors = [torch.empty(numels[index], dtype=dtypes[index], device="meta") for index in order]
    buckets, _ = dist._compute_bucket_assignment_by_size(tensors, limits, [False] * len(numels), order)
    return buckets


types = st.sampled_from([torch.float32, torch.bfloat16])


@given(st.lists(st.tuples(st.integers(1, 5_000_000), types), min_size=1, max_size=12))
def test_default_buckets_are_those_of_ddp(tensors: list[tuple[int, torch.dtype]]) -> None:
    numels, dtypes = [numel for numel, _ in tensors], [dtype for _, dtype in tensors]
    expected = buckets_of_ddp(numels, dtypes, [dist._DEFAULT_FIRST_BUCKET_BYTES, 25 * 2**20])

    assert sorted(plan_buckets(numels, None, dtypes)) == sorted(expected)


@given(sizes, types, st.integers(1, 20_000))
def test_buckets_are_those_of_ddp(numels: list[int], dtype: torch.dtype, bucket_bytes: int) -> None:
    dtypes = [dtype] * len(numels)

    assert plan_buckets(numels, bucket_bytes, dtypes) == buckets_of_ddp(numels, dtypes, [bucket_bytes])


def block_of(*parameters: Parameter) -> Block:
    return Block(index=0, names=[str(i) for i in range(len(parameters))], parameters=list(parameters))


def test_adjacent_gradients_are_not_copied() -> None:
    first, second = Parameter(torch.zeros(2, 3)), Parameter(torch.zeros(4))
    bucket = torch.arange(10.0)
    block = block_of(first, second)
    assert not block.add_gradient(first, bucket[:6].view(2, 3))
    assert block.add_gradient(second, bucket[6:])

    block.gather()
    block.gradient.mul_(2)
    block.scatter(block.gradient)

    assert torch.equal(bucket, 2 * torch.arange(10.0))


def test_gradients_in_another_order_are_copied_there_and_back() -> None:
    first, second = Parameter(torch.zeros(2, 3)), Parameter(torch.zeros(4))
    bucket = torch.arange(10.0)
    block = block_of(first, second)
    block.add_gradient(second, bucket[:4])
    block.add_gradient(first, bucket[4:].view(2, 3))

    block.gather()

    assert block.gradient.tolist() == [4, 5, 6, 7, 8, 9, 0, 1, 2, 3]

    block.scatter(block.gradient + 100)

    assert bucket.tolist() == [100 + i for i in range(10)]


def test_flat_parameters_come_back() -> None:
    first, second = Parameter(torch.randn(2, 3)), Parameter(torch.randn(4))
    block = block_of(first, second)
    flat = block.flat_parameters()

    block.set_parameters(flat * 3)

    assert torch.equal(block.flat_parameters(), flat * 3)


@given(st.integers(1, 10_000), st.integers(1, 40))
def test_shards_cover_the_vector_in_multiples_of_8(numel: int, world_size: int) -> None:
    shards = cut_shards(numel, world_size, "sharded")

    assert [shard.start for shard in shards] == [0, *(shard.stop for shard in shards[:-1])]
    assert shards[-1].stop == numel
    assert all(shard.numel % 8 == 0 for shard in shards[:-1])
    assert all(shard.numel > 0 for shard in shards)
    assert [shard.owner for shard in shards] == list(range(len(shards)))
    assert len(shards) <= world_size


def test_an_empty_vector_has_an_empty_shard() -> None:
    assert [(shard.owner, shard.numel) for server in SERVERS for shard in cut_shards(0, 3, server)] == [(0, 0), (0, 0)]
