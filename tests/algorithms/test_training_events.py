"""Algorithms over the life of a training loop: attached again, stepped in an evaluation, and stopped by NaN."""

import warnings
from collections.abc import Callable
from typing import Any, Final

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.state_dict import get_state_dict

from liecbench import algorithms
from liecbench.algorithms import Algorithm, NonFiniteError
from liecbench.compressors import QSGD, Sign
from tests.algorithms import buckets
from tests.distributed import run_ranks

NUM_WORKERS: Final = 2
MAKERS: Final[dict[str, Callable[[], Algorithm]]] = {
    "PSGD": algorithms.PSGD,
    "MemSGD": lambda: algorithms.MemSGD(compressor=Sign()),
    "EF21": lambda: algorithms.EF21(compressor=Sign()),
    "DoubleSqueeze": lambda: algorithms.DoubleSqueeze(compressor=Sign()),
    "Neolithic": lambda: algorithms.Neolithic(compressor=Sign()),
    "EF21BC": lambda: algorithms.EF21BC(compressor=Sign()),
    "CSER": lambda: algorithms.CSER(compressor=Sign(), average_period=3),
    "LIEC": lambda: algorithms.LIEC(compressor=Sign(), average_period=3),
    "CSGD": lambda: algorithms.CSGD(compressor=QSGD()),
    "Int8AllReduce": algorithms.Int8AllReduce,
    "Int4AllReduce": algorithms.Int4AllReduce,
    "LocalSGD": lambda: algorithms.LocalSGD(average_period=3),
    "DiLoCo": lambda: algorithms.DiLoCo(sync_every=3, delay=1),
    "SparseLoCo": lambda: algorithms.SparseLoCo(sync_every=3),
    "SignSGD": algorithms.SignSGD,
    "OneBitAdam": lambda: algorithms.OneBitAdam(freeze_step=3),
    "DGC": lambda: algorithms.DGC(ratio=0.1, warmup_epochs=1, steps_per_epoch=3),
    "DeMo": algorithms.DeMo,
    "AllReduce": algorithms.AllReduce,
    "AllReduceFP16": algorithms.AllReduceFP16,
    "AllReduceBF16": algorithms.AllReduceBF16,
    "PowerSGD": lambda: algorithms.PowerSGD(min_compression_rate=1.0),
}

# Local models, whose methods find a gradient of NaN before the optimizer's step, and only when models are averaged.
COMPRESS: Final = ("LIEC", "CSER")
SEND_MODELS: Final = {"LocalSGD": 2, "DiLoCo": 4, "SparseLoCo": 2}  # the first step from 2 on after which they send


def attached_again(make: Callable[[], Algorithm], *, same: bool) -> tuple[Tensor, int, int]:
    """Train four steps, detach, attach the ``same`` object or a new one, and train five steps.

    Return the model, the step count, and the bytes that were sent.
    """
    algorithm = make()
    run = buckets.build()
    run.optimizer = torch.optim.SGD(run.model.parameters(), lr=0.01)
    algorithm.attach(run.ddp, run.optimizer)
    run.train(range(4))
    algorithm.detach()
    second = algorithm if same else make()
    second.attach(run.ddp, run.optimizer)
    run.train(range(4, 9))
    second.synchronize()
    model = run.flat()
    second.detach()
    return model, second.step, second.counters.sent_bytes


def stopped(make: Callable[[], Algorithm]) -> dict[str, Any]:
    """Make rank 1's gradient NaN in step 2, detach after the error, and train two steps of plain DDP."""
    algorithm = make()
    run = buckets.attached(algorithm)
    with pytest.raises(NonFiniteError) as raised:
        run.train(range(6), lambda step: torch.nan if step == 2 and dist.get_rank() == 1 else 1)
    before = run.flat()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        algorithm.detach()
    detached = run.flat()
    run.optimizer.zero_grad()
    run.train(range(6, 8))
    return {
        "error": str(raised.value),
        "before": before,
        "detached": detached,
        "trained": run.flat(),
        "warnings": [str(warning.message) for warning in caught],
    }


def stepped_in_evaluation(make: Callable[[], Algorithm]) -> str:
    """Return the error of a step in an evaluation within another, after which the training goes on."""
    algorithm = make()
    run = buckets.attached(algorithm)
    run.train(range(2))
    with algorithm.evaluation():
        with algorithm.evaluation():
            pass
        evaluated = run.flat()
        with pytest.raises(RuntimeError) as raised:
            run.train(range(2, 3))
        assert torch.equal(run.flat(), evaluated)
    run.train(range(2, 4))
    return str(raised.value)


def saved_in_evaluation(make: Callable[[], Algorithm]) -> bool:
    """Get the state of a new optimizer, for which torch makes a step with gradients of zero, in an evaluation.

    Return whether the model is unchanged and the training goes on.
    """
    algorithm = make()
    run = buckets.attached(algorithm)
    before = run.flat()
    with algorithm.evaluation():
        get_state_dict(run.model, run.optimizer)
    is_unchanged = torch.equal(run.flat(), before)
    run.train(range(2))
    return is_unchanged and not torch.equal(run.flat(), before)


def observe() -> dict[str, Any]:
    return {
        "saved": [saved_in_evaluation(MAKERS[name]) for name in ("LIEC", "DiLoCo", "MemSGD", "PowerSGD")],
        "again": {name: [attached_again(make, same=same) for same in (True, False)] for name, make in MAKERS.items()},
        "in evaluation": [stepped_in_evaluation(MAKERS[name]) for name in ("LIEC", "DiLoCo", "MemSGD", "PowerSGD")],
        "stopped": {name: stopped(MAKERS[name]) for name in (*COMPRESS, *SEND_MODELS)},
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


def test_all_methods_are_made() -> None:
    methods = {
        name for name in algorithms.__all__ if name in vars(algorithms) and _is_method(getattr(algorithms, name))
    }

    assert set(MAKERS) == methods


@pytest.mark.parametrize("name", MAKERS)
def test_a_method_that_is_attached_again_begins_anew(name: str, ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        (model, step, sent), (of_new, step_of_new, sent_by_new) = rank["again"][name]
        assert torch.equal(model, of_new)
        assert step == step_of_new == 5
        assert sent == sent_by_new


def test_no_step_is_made_in_an_evaluation(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert len(rank["in evaluation"]) == 4
        for message in rank["in evaluation"]:
            assert message.startswith("optimizer.step was called inside evaluation(), ")


def test_the_state_of_a_new_optimizer_can_be_saved_in_an_evaluation(ranks: list[dict[str, Any]]) -> None:
    assert [rank["saved"] for rank in ranks] == [[True] * 4] * NUM_WORKERS


@pytest.mark.parametrize("name", COMPRESS)
def test_detach_averages_local_models_after_a_gradient_that_is_not_finite(
    name: str, ranks: list[dict[str, Any]]
) -> None:
    runs = [rank["stopped"][name] for rank in ranks]
    mean = (runs[0]["before"] + runs[1]["before"]) / 2

    assert not torch.equal(runs[0]["before"], runs[1]["before"])
    for run in runs:
        assert run["error"].startswith("step 2: gradients of block ")
        torch.testing.assert_close(run["detached"], mean)
        assert run["warnings"] == []
    assert torch.equal(runs[0]["trained"], runs[1]["trained"])


@pytest.mark.parametrize("name", SEND_MODELS)
def test_detach_warns_if_the_models_themselves_are_not_finite(name: str, ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        run = rank["stopped"][name]
        assert run["error"] == f"step {SEND_MODELS[name]}: the models are not finite"
        (warning,) = run["warnings"]
        assert warning.startswith("detach could not average the local models, so that the ranks' models differ (step ")
        assert warning.endswith("load a checkpoint's model and optimizer on every rank")


def _is_method(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Algorithm) and value.notes is not None
