"""Quantized all-reduces: they are CSGD, and an entry's error is at most half a quantization step per hop."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import CSGD, Algorithm, Int4AllReduce, Int8AllReduce
from liecbench.compressors import Int4, Int8
from tests.algorithms.given_gradients import Given, given
from tests.compressors.groups import expected_levels
from tests.distributed import run_ranks

NUM_WORKERS, SHAPE, STEP = 3, (37, 61), 4
NUMEL = 37 * 61
# A third of the block, rounded up to a multiple of 8.
SHARD = 760
METHODS = {"int8": (Int8AllReduce, 127), "int4": (Int4AllReduce, 7)}


def update(algorithm: Algorithm) -> dict[str, Any]:
    """Return the update of one step, and the bytes and messages that it takes: counted, and by the schedule."""
    model = Given([SHAPE])
    with torch.no_grad():
        model.tensors[0].zero_()
    ddp = DistributedDataParallel(model)
    algorithm.attach(ddp, torch.optim.SGD(model.parameters(), lr=0.1))
    ddp(STEP, dist.get_rank()).backward()
    algorithm.synchronize()
    gradient, counters = model.tensors[0].grad, algorithm.counters
    assert gradient is not None
    schedule = algorithm.schedule([torch.Size(SHAPE)], world_size=NUM_WORKERS, step=0)
    rank = dist.get_rank()
    update = gradient.flatten().tolist()
    gradient.copy_(given(STEP, rank, 0, SHAPE))
    found = {
        "update": update,
        "moved": (counters.sent_bytes, counters.received_bytes, counters.sent_messages),
        "scheduled": (*schedule.payload_bytes()[rank], schedule.num_messages()[rank]),
        "error": algorithm.compression_error(),
    }
    algorithm.close()
    return found


def observe() -> dict[str, dict[str, Any]]:
    return {
        "int8": update(Int8AllReduce()),
        "int4": update(Int4AllReduce()),
        "csgd int8": update(CSGD(compressor=Int8(values_per_scale=256), server="sharded")),
        "csgd int4": update(CSGD(compressor=Int4(values_per_scale=256), server="sharded")),
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, dict[str, Any]]]:
    return run_ranks(observe, NUM_WORKERS)


def quantized(values: np.ndarray, largest_level: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of each shard quantized by groups of 256, and half the quantization step at each value."""
    sent, half_steps = [], []
    for start in range(0, NUMEL, SHARD):
        scales, levels = expected_levels(values[start : start + SHARD].astype(np.float32), 256, largest_level)
        for scale, level in zip(scales, levels, strict=True):
            sent.append(level * np.float64(scale))
            half_steps.append(np.full(level.size, scale / 2, np.float64))
    return np.concatenate(sent), np.concatenate(half_steps)


@pytest.mark.parametrize("name", METHODS)
def test_the_error_is_at_most_half_a_quantization_step_per_hop(ranks: list[dict[str, Any]], name: str) -> None:
    _, largest_level = METHODS[name]
    gradients = [given(STEP, rank, 0, SHAPE).flatten().numpy() for rank in range(NUM_WORKERS)]
    messages, half_steps = zip(*(quantized(gradient, largest_level) for gradient in gradients), strict=True)
    answer, answer_half_steps = quantized(np.mean(messages, axis=0), largest_level)

    for found in ranks:
        actual = np.array(found[name]["update"])

        errors = np.abs(actual - np.mean(gradients, axis=0))
        assert (errors <= (np.mean(half_steps, axis=0) + answer_half_steps) * (1 + 1e-4)).all()
        # A mean within a rounding error of the middle of two levels may get the other one.
        off = np.abs(actual - answer) > 1e-5
        assert off.mean() < 0.002


@pytest.mark.parametrize("name", METHODS)
def test_it_is_csgd_with_a_sharded_server(ranks: list[dict[str, Any]], name: str) -> None:
    for found in ranks:
        assert found[name] == found[f"csgd {name}"]
        assert found[name]["update"] == ranks[0][name]["update"]


@pytest.mark.parametrize(("name", "level_bytes"), [("int8", 1.0), ("int4", 0.5)])
def test_bytes_are_those_of_the_schedule_and_of_quantized_shards(
    ranks: list[dict[str, Any]], name: str, level_bytes: float
) -> None:
    # Shards of 760, 760 and 737 values with 3 scales each; a worker sends the shards of others, and its own twice.
    sizes = [12 + int(760 * level_bytes), 12 + int(760 * level_bytes), 12 + int(np.ceil(737 * level_bytes))]
    for rank, found in enumerate(ranks):
        others = sum(sizes) - sizes[rank]
        expected = (others + 2 * sizes[rank], others + 2 * sizes[rank], 4)

        assert found[name]["moved"] == found[name]["scheduled"] == expected


@pytest.mark.parametrize("name", METHODS)
def test_the_compression_error_is_that_of_the_quantizer(ranks: list[dict[str, Any]], name: str) -> None:
    assert 0 < ranks[0][name]["error"] < {"int8": 1e-4, "int4": 0.02}[name]
