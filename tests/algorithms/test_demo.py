"""DeMo against a simulation of its equations, and what its messages, memories and refusals are."""

import functools
from typing import Any

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import DeMo
from tests.algorithms import simulation
from tests.algorithms.given_gradients import (
    LEARNING_RATE,
    NUM_STEPS,
    NUM_ZEROS,
    Given,
    Training,
    gradients,
    initial_weights,
    refusals,
    relative_difference,
    resumed,
    stepped,
)
from tests.distributed import run_ranks

# Chunks of 35 × 26, 50, 3 × 20, 30 and 24 × 10 elements; the 30 are all sent.
SHAPES: list[tuple[int, ...]] = [(70, 130), (100,), (3, 4, 5), (30,), (24, 10)]
NUM_WORKERS, DECAY, KEPT, MIDDLE = 3, 0.8, 32, 5
MAKE = functools.partial(DeMo, decay=DECAY, block_bytes=4 * 500)


def refused() -> list[str]:
    ddp = DistributedDataParallel(Given(SHAPES))
    optimizers = torch.optim.AdamW(ddp.parameters()), torch.optim.SGD(ddp.parameters(), momentum=0.9)
    return refusals(ddp, [(DeMo(), optimizer) for optimizer in optimizers])


def measured_error() -> tuple[float | None, float]:
    """Return the compression error that the method measures after a step, and the one by the equations."""
    training = Training(MAKE(), SHAPES)
    training.train(0, 1)
    errors = training.algorithm.memories()["error"]
    blocks = simulation.blocks_of([int(np.prod(shape)) for shape in SHAPES], 4 * 500)
    left = total = 0.0
    for block, error in zip(blocks, errors, strict=True):
        # Backward has replaced the gradients by the update, which the method takes for gradients.
        start = 0
        for i in block:
            parameter = list(training.model.parameters())[i]
            assert parameter.grad is not None
            own = error[start : start + parameter.numel()].double().numpy().reshape(SHAPES[i])
            start += parameter.numel()
            delta = DECAY * own + LEARNING_RATE * parameter.grad.double().numpy()
            left += float(np.sum((delta - sent(delta)) ** 2))
            total += float(np.sum(delta**2))
    found = training.algorithm.compression_error()
    training.algorithm.close()
    return found, left / total


def observe() -> dict[str, Any]:
    return {"finals": resumed(MAKE, SHAPES, MIDDLE), "refusals": refused(), "error": measured_error()}


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


def chunks(array: simulation.Vector) -> list[tuple[slice, slice]]:
    sides = [max(d for d in range(1, 65) if side % d == 0) for side in array.shape]
    return [
        (slice(row, row + sides[0]), slice(column, column + sides[1]))
        for row in range(0, array.shape[0], sides[0])
        for column in range(0, array.shape[1], sides[1])
    ]


def largest_coefficients(delta: simulation.Vector) -> tuple[simulation.Vector, simulation.Vector]:
    """Return the coefficients that are sent, in the shape of a matrix, and 1 where one is sent."""
    matrix = delta.reshape(delta.shape[0], -1)
    kept, is_sent = np.zeros_like(matrix), np.zeros_like(matrix)
    for chunk in chunks(matrix):
        z = dctn(matrix[chunk], norm="ortho")
        places = np.unravel_index(np.argsort(-np.abs(z), axis=None, kind="stable")[:KEPT], z.shape)
        kept[chunk][places] = z[places]
        is_sent[chunk][places] = 1
    return kept, is_sent


def inverse(coefficients: simulation.Vector, shape: tuple[int, ...]) -> simulation.Vector:
    found = np.zeros_like(coefficients)
    for chunk in chunks(coefficients):
        found[chunk] = idctn(coefficients[chunk], norm="ortho")
    return found.reshape(shape)


def sent(delta: simulation.Vector) -> simulation.Vector:
    """Return what the sent coefficients of δ stand for."""
    return inverse(largest_coefficients(delta)[0], delta.shape)


def simulated() -> list[simulation.Vector]:
    """Return the final parameters, from the equations."""
    weights = initial_weights(SHAPES)
    delta = [[np.zeros(shape) for shape in SHAPES] for _ in range(NUM_WORKERS)]
    for step in range(NUM_STEPS):
        all_gradients = [gradients(weights, step, rank) for rank in range(NUM_WORKERS)]
        for i, shape in enumerate(SHAPES):
            total, senders = np.zeros((shape[0], 1)), np.zeros((shape[0], 1))
            for rank in range(NUM_WORKERS):
                delta[rank][i] = DECAY * delta[rank][i] + LEARNING_RATE * all_gradients[rank][i]
                q, is_sent = largest_coefficients(delta[rank][i])
                delta[rank][i] = delta[rank][i] - inverse(q, shape)
                total, senders = total + q, senders + is_sent
            update = np.sign(inverse(total / np.maximum(senders, 1), shape))
            weights[i] = stepped(weights[i], update)
    return weights


def test_training_follows_the_equations(ranks: list[dict[str, Any]]) -> None:
    expected = simulated()

    for rank in ranks:
        assert relative_difference(rank["finals"]["whole"], expected) < 1e-5
        assert all(map(torch.equal, rank["finals"]["whole"], ranks[0]["finals"]["whole"]))


def test_training_goes_on_from_its_memories_to_the_bit(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert all(map(torch.equal, rank["finals"]["whole"], rank["finals"]["resumed"]))


def test_messages_are_those_of_the_schedule(ranks: list[dict[str, Any]]) -> None:
    # Each kept coefficient takes 4 bytes and, unless its chunk sends all, 12 bits: 10 chunks of 35 × 26, 2 of 50, one
    # of 60 and one of 240 with 32 each, and 30 without positions; a message for each size of a chunk.
    num_bytes = (10 + 2 + 1 + 1) * 32 * 5.5 + 30 * 4
    for rank in ranks:
        assert all(moved == scheduled for _, moved, scheduled in rank["finals"]["moved"])
        assert {moved for _, moved, _ in rank["finals"]["moved"]} == {(2 * num_bytes, 2 * num_bytes, 2 * 5)}


def test_the_compression_error_is_that_of_the_coefficients(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        found, expected = rank["error"]
        assert found == pytest.approx(expected, rel=1e-4)


def test_other_optimizers_are_refused(ranks: list[dict[str, Any]]) -> None:
    adamw, momentum = ranks[0]["refusals"]

    assert adamw.endswith("its update is a step of plain SGD, and the optimizer is adamw; write optimizer: sgd")
    assert momentum.endswith("give the optimizer momentum: 0, and the method decay: 0.999")


def send_all() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    training = Training(DeMo(kept=64 * 64), SHAPES)
    finals, errors = training.train(), training.algorithm.memories()["error"]
    training.algorithm.close()
    return finals, errors


def test_one_worker_that_sends_all_trains_by_the_sign_of_the_gradient() -> None:
    ((finals, errors),) = run_ranks(send_all, 1)
    expected = initial_weights(SHAPES)
    for step in range(NUM_STEPS):
        expected = [stepped(w, np.sign(g)) for w, g in zip(expected, gradients(expected, step, 0), strict=True)]
    for arrays in (finals, expected):  # where the gradient is 0, rounding decides about the sign
        arrays[0].reshape(-1)[:NUM_ZEROS] = 0

    assert all(not error.any() for error in errors)
    assert relative_difference(finals, expected) < 1e-5
