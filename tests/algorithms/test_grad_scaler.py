"""Refusal of GradScaler, which changes the units of gradients."""

import contextlib
from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms import MemSGD, NonFiniteError
from liecbench.compressors import Sign
from tests.algorithms import network
from tests.algorithms.test_training_loop import RATE, wrapped
from tests.distributed import run_ranks

NUM_WORKERS = 2
Scaled = dict[str, tuple[list[str], Tensor]]


@contextlib.contextmanager
def collecting(errors: list[str]) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, NonFiniteError) as error:
        errors.append(f"{type(error).__name__}: {error}")


def scaled(scaler: torch.amp.GradScaler, factor: float = 1.0) -> tuple[list[str], Tensor]:
    """Run two steps; return their errors, or ``nothing``, and the model after them."""
    model = network.build()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    ddp = wrapped(model, MemSGD(compressor=Sign()), optimizer)
    errors: list[str] = []
    for step in range(2):
        with collecting(errors):
            optimizer.zero_grad()
            scaler.scale(factor * network.loss(ddp, step, dist.get_rank())).backward()
            scaler.step(optimizer)
            scaler.update()
            errors.append("nothing")
    return errors, network.flat(model)


def late_scaler() -> list[str]:
    """Return the errors, or ``nothing``, of a step without a GradScaler and of a later step with one."""
    model = network.build()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    ddp = wrapped(model, MemSGD(compressor=Sign()), optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    errors: list[str] = []
    for step, brings_scaler in enumerate((False, True)):
        with collecting(errors):
            loss = network.loss(ddp, step, dist.get_rank())
            if brings_scaler:
                scaler.scale(loss).backward()
                scaler.step(optimizer)
            else:
                loss.backward()
                optimizer.step()
            errors.append("nothing")
    return errors


def test_a_grad_scaler_that_comes_late_is_refused() -> None:
    ((first, second),) = run_ranks(late_scaler, 1)

    assert (first, second.startswith("RuntimeError: a GradScaler changes the gradients' scale")) == ("nothing", True)


def scalers() -> Scaled:
    return {
        "enabled": scaled(torch.amp.GradScaler("cpu", init_scale=2.0)),
        "disabled": scaled(torch.amp.GradScaler("cpu", enabled=False)),
        "overflowing": scaled(torch.amp.GradScaler("cpu", init_scale=1e38), factor=1e3),
    }


@pytest.fixture(scope="module")
def ranks() -> list[Scaled]:
    return run_ranks(scalers, NUM_WORKERS)


def test_an_enabled_grad_scaler_is_refused_in_step(ranks: list[Scaled]) -> None:
    for rank in ranks:
        for error in rank["enabled"][0]:
            assert error.startswith("RuntimeError: a GradScaler changes the gradients' scale")
        assert torch.equal(rank["enabled"][1], network.flat(network.build()))


def test_a_disabled_grad_scaler_is_accepted(ranks: list[Scaled]) -> None:
    for rank in ranks:
        errors, model = rank["disabled"]
        assert errors == ["nothing", "nothing"]
        assert torch.equal(model, ranks[0]["disabled"][1])
        assert not torch.equal(model, network.flat(network.build()))


def test_a_step_that_a_scaler_skipped_raises_in_the_next_forward(ranks: list[Scaled]) -> None:
    message = "NonFiniteError: step 0: gradients of block 0 (0.weight … 4.bias) are not finite"

    assert [rank["overflowing"][0] for rank in ranks] == [["nothing", message]] * NUM_WORKERS
