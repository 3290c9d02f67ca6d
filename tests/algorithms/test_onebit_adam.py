"""1-bit Adam against a simulation of its equations, and what its options, messages, memories and refusals are."""

import functools
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import OneBitAdam, RunLengthError
from tests.algorithms import simulation
from tests.algorithms.given_gradients import (
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

SHAPES: list[tuple[int, ...]] = [(9, 7), (30,), (3, 4, 5)]
NUM_WORKERS, FREEZE_STEP = 3, 4
BLOCK_BYTES = 4 * 95
SERVERS = ("root", "sharded")
MAKE = functools.partial(OneBitAdam, freeze_step=FREEZE_STEP, beta1=0.8, beta2=0.9, eps=1e-6, block_bytes=BLOCK_BYTES)


def refused() -> list[str]:
    ddp = DistributedDataParallel(Given(SHAPES))
    cases = [
        (MAKE(), torch.optim.AdamW(ddp.parameters())),
        (OneBitAdam(freeze_step=FREEZE_STEP), torch.optim.SGD(ddp.parameters(), momentum=0.9)),
        (OneBitAdam(freeze_step=0.15), torch.optim.SGD(ddp.parameters())),
    ]
    return refusals(ddp, cases)


def observe() -> dict[str, Any]:
    finals = {server: resumed(functools.partial(MAKE, server=server), SHAPES, FREEZE_STEP + 3) for server in SERVERS}
    adam = Training(OneBitAdam(freeze_step=NUM_STEPS), SHAPES)
    errors = [adam.algorithm.compression_error()]
    finals["adam"] = {"whole": adam.train()}
    adam.algorithm.close()
    return {"finals": finals, "refusals": refused(), "errors": errors}


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


def sign_l2(v: simulation.Vector) -> simulation.Vector:
    signs: simulation.Vector = np.where(v >= 0, 1.0, -1.0) * np.sqrt(np.mean(v**2))
    return signs


def simulated(server: str, freeze_step: int, beta1: float, beta2: float, eps: float) -> list[simulation.Vector]:
    """Return the final parameters, from the equations."""
    weights = initial_weights(SHAPES)
    blocks = simulation.blocks_of([w.size for w in weights], BLOCK_BYTES)
    sizes = [sum(weights[i].size for i in block) for block in blocks]
    pieces = [simulation.shards_of(size, NUM_WORKERS, server) for size in sizes]
    m, v, server_errors = ([np.zeros(size) for size in sizes] for _ in range(3))
    errors = [[np.zeros(size) for size in sizes] for _ in range(NUM_WORKERS)]
    for step in range(NUM_STEPS):
        all_gradients = [gradients(weights, step, rank) for rank in range(NUM_WORKERS)]
        for number, block in enumerate(blocks):
            g = [np.concatenate([own[i].ravel() for i in block]) for own in all_gradients]
            compress = simulation.per_piece(sign_l2, pieces[number])
            if step < freeze_step:
                mean = simulation.average(g)
                m[number] = beta1 * m[number] + (1 - beta1) * mean
                v[number] = beta2 * v[number] + (1 - beta2) * mean**2
            else:
                sent = []
                for rank in range(NUM_WORKERS):
                    a = beta1 * m[number] + (1 - beta1) * g[rank] + errors[rank][number]
                    sent.append(compress(a))
                    errors[rank][number] = a - sent[-1]
                answer = simulation.average(sent) + server_errors[number]
                m[number] = compress(answer)
                server_errors[number] = answer - m[number]
                m[number] = np.where(v[number] == 0, 0, m[number])
            update = m[number] / (np.sqrt(v[number]) + eps)
            starts = [0, *itertools.accumulate(weights[i].size for i in block)]
            for i, start in zip(block, starts, strict=False):
                own = update[start : start + weights[i].size].reshape(weights[i].shape)
                weights[i] = stepped(weights[i], own)
    return weights


@pytest.mark.parametrize("server", SERVERS)
def test_training_follows_the_equations(ranks: list[dict[str, Any]], server: str) -> None:
    expected = simulated(server, FREEZE_STEP, 0.8, 0.9, 1e-6)

    for rank in ranks:
        final = rank["finals"][server]["whole"]
        assert relative_difference(final, expected) < 1e-5
        assert all(map(torch.equal, final, ranks[0]["finals"][server]["whole"]))
        assert not final[0].view(-1)[:NUM_ZEROS].any()  # the gradient is always 0 there


def test_before_the_freeze_it_is_adam_without_bias_correction(ranks: list[dict[str, Any]]) -> None:
    expected = simulated("sharded", NUM_STEPS, 0.9, 0.999, 1e-8)

    assert relative_difference(ranks[0]["finals"]["adam"]["whole"], expected) < 1e-5
    assert ranks[0]["errors"] == [None]


@pytest.mark.parametrize("server", SERVERS)
def test_training_goes_on_from_its_memories_to_the_bit(ranks: list[dict[str, Any]], server: str) -> None:
    for rank in ranks:
        final = rank["finals"][server]
        assert all(map(torch.equal, final["whole"], final["resumed"]))


@pytest.mark.parametrize("server", SERVERS)
def test_messages_are_those_of_the_schedule(ranks: list[dict[str, Any]], server: str) -> None:
    for rank in ranks:
        seen = rank["finals"][server]["moved"]
        assert all(moved == scheduled for _, moved, scheduled in seen)
        kinds = [kind for kind, *_ in seen[:NUM_STEPS]]
        assert kinds == ["warmup"] * FREEZE_STEP + ["compressed"] * (NUM_STEPS - FREEZE_STEP)
    # Two blocks, of 90 and 63 elements: one bit for each and a scale per message, there and back.
    compressed = {rank["finals"]["root"]["moved"][-1][1] for rank in ranks[1:]}
    num_bytes = (12 + 4) + (8 + 4)
    assert compressed == {(num_bytes, num_bytes, 2)}


def test_other_optimizers_and_unknown_lengths_are_refused(ranks: list[dict[str, Any]]) -> None:
    adamw, momentum, length = ranks[0]["refusals"]

    assert adamw.endswith("and the optimizer is adamw; write optimizer: sgd, with the learning rate of Adam")
    assert momentum.endswith("give the optimizer momentum: 0, and the method beta1: 0.9")
    assert length.endswith("write OneBitAdam(freeze_step=…) with a number of steps")


def test_the_freeze_is_a_number_of_steps_or_a_part_of_the_run() -> None:
    part, number = OneBitAdam(), OneBitAdam(freeze_step=60)
    part.set_run_length(steps_per_epoch=40, num_epochs=10)
    number.set_run_length(steps_per_epoch=61, num_epochs=1)

    assert [part.step_kind(step) for step in (59, 60)] == ["warmup", "compressed"]
    assert [number.step_kind(step) for step in (59, 60)] == ["warmup", "compressed"]
    with pytest.raises(RunLengthError, match=r"the run has 60 steps, .*; write freeze_step: 9, or remove it"):
        number.set_run_length(steps_per_epoch=30, num_epochs=2)
    with pytest.raises(RunLengthError, match="the run has 5 steps"):
        OneBitAdam(freeze_step=0.95).set_run_length(steps_per_epoch=5, num_epochs=1)
