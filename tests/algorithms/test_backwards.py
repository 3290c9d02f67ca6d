import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import LIEC, PSGD, Algorithm, DiLoCo, MemSGD, PowerSGD
from liecbench.compressors import Sign, TopK
from tests.algorithms import network
from tests.algorithms.loop_variants.models import Branching
from tests.distributed import run_ranks

NUM_WORKERS = 4


def unused_memories() -> dict[str, Any]:
    """Train a layer in step 0 and not in step 1; return its weight, gradients and memories after both."""
    used = [True]
    model = Branching(lambda: used[0])
    ddp = DistributedDataParallel(model, find_unused_parameters=True)
    algorithm = MemSGD(compressor=TopK(0.2), block_bytes="whole")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    algorithm.attach(ddp, optimizer)
    seen = []
    for step in range(2):
        used[0] = step == 0
        optimizer.zero_grad()
        ddp(torch.randn(6, 4, generator=torch.Generator().manual_seed(dist.get_rank()))).square().mean().backward()
        optimizer.step()
        # The block is in reverse order: other.bias (3), other.weight (12), then first's 15 elements.
        error = algorithm.error[algorithm.blocks[0]].clone()
        seen.append((model.other.weight.detach().clone(), error[:15], error[15:]))
    return {"seen": seen, "gradient": model.other.weight.grad}


def unexchanged() -> list[list[str]]:
    """Return the warnings of loops that call another module than the attached one, its .module, and the attached one.

    The last loop begins with a step whose gradients are zero, as to make an optimizer's states.
    """
    texts = []
    for called in ("another", "module", "attached"):
        model, ddp, optimizer = network.made(MemSGD(compressor=Sign()))
        modules = {"another": DistributedDataParallel(model), "module": model, "attached": ddp}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for parameter in model.parameters():
                parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
            for step in range(2):
                optimizer.zero_grad()
                network.loss(modules[called], step, dist.get_rank()).backward()
                optimizer.step()
        texts.append([str(warning.message) for warning in caught])
    return texts


def warned() -> list[list[str]]:
    """Return the warnings of a loop that forgets no_sync, of the same loop with it, and of P-SGD.

    The first parameter's gradient is zero after the forgotten no_sync, as that of a dead layer is.
    """
    texts = []
    for algorithm, forgets in ((MemSGD(compressor=Sign()), True), (MemSGD(compressor=Sign()), False), (PSGD(), True)):
        model, ddp, optimizer = network.made(algorithm)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for step in range(3):
                optimizer.zero_grad()
                if forgets:
                    network.loss(ddp, step, dist.get_rank()).backward()
                    model[0].zero_grad(set_to_none=False)
                else:
                    with ddp.no_sync():
                        network.loss(ddp, step, dist.get_rank()).backward()
                network.loss(ddp, step, dist.get_rank()).backward()
                optimizer.step()
        texts.append([str(warning.message) for warning in caught])
    return texts


def texts_of(function: Callable[[], None]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return [str(warning.message) for warning in caught]


def replaced() -> dict[str, list[str]]:
    """Return the warnings of loops that step an optimizer that was not given to attach."""
    texts = {}
    for make in (lambda: LIEC(compressor=Sign()), lambda: DiLoCo(sync_every=2, delay=1), PowerSGD):
        algorithm: Algorithm = make()
        model, ddp, optimizer = network.made(algorithm)
        network.train(ddp, optimizer, range(2))
        other = torch.optim.AdamW(model.parameters(), fused=True)
        texts[type(algorithm).__name__] = texts_of(lambda ddp=ddp, other=other: network.train(ddp, other, range(2, 5)))  # type: ignore[misc]
        algorithm.detach()
        texts[f"{type(algorithm).__name__} detached"] = texts_of(
            lambda ddp=ddp, other=other: network.train(ddp, other, range(5, 6))  # type: ignore[misc]
        )
    return texts


def usual() -> list[str]:
    """Return the warnings of a loop that skips steps, accumulates, schedules, evaluates, and trains another model."""
    model, ddp, _ = network.made(None)
    first, *rest = model.parameters()
    optimizers = [torch.optim.SGD([first], lr=0.1), torch.optim.AdamW(rest)]
    algorithm = LIEC(compressor=Sign(), average_period=2)
    algorithm.attach(ddp, optimizers)
    schedules = [torch.optim.lr_scheduler.StepLR(optimizer, 2) for optimizer in optimizers]
    another = network.build()
    its_optimizer = torch.optim.SGD(another.parameters(), lr=0.1)

    def loop() -> None:
        for step in range(6):
            for optimizer in optimizers:
                optimizer.zero_grad()
            with ddp.no_sync():
                network.loss(ddp, step, dist.get_rank()).backward()
            network.loss(ddp, step, dist.get_rank()).backward()
            network.loss(another, step, dist.get_rank()).backward()
            its_optimizer.step()
            if step in (0, 3):
                continue  # as a loop does that has no use for a batch
            for optimizer in optimizers:
                optimizer.step()
            for schedule in schedules:
                schedule.step()
            with algorithm.evaluation(), torch.no_grad():
                network.loss(ddp, step, dist.get_rank())

    return texts_of(loop)


def unfrozen() -> dict[str, Any]:
    """Return the warnings of a loop before and after it unfreezes a layer, and after it wraps the model anew."""
    model = network.build()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ddp = DistributedDataParallel(model)
    algorithm = LIEC(compressor=Sign(), average_period=4)
    algorithm.attach(ddp, optimizer)
    texts = {"frozen": texts_of(lambda: network.train(ddp, optimizer, range(2)))}
    model[0].requires_grad_(True)
    texts["unfrozen"] = texts_of(lambda: network.train(ddp, optimizer, range(2, 5)))
    algorithm.detach()
    again = DistributedDataParallel(model)
    algorithm.attach(again, optimizer)
    texts["wrapped anew"] = texts_of(lambda: network.train(again, optimizer, range(5, 8)))
    algorithm.detach()
    return {**texts, "model": network.flat(model)}


class WithIgnoredWeight(nn.Module):
    """A network and a parameter of the root module, which DDP is told to ignore under the name that it gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.weight = network.build(), nn.Parameter(torch.ones(()))
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(self, [".weight"])

    def forward(self, inputs: Tensor) -> Tensor:
        out: Tensor = self.network(inputs) * self.weight
        return out


def ignored() -> list[str]:
    model = WithIgnoredWeight()
    ddp, optimizer = DistributedDataParallel(model), torch.optim.SGD(model.parameters(), lr=0.1)
    PSGD().attach(ddp, optimizer)

    def loop() -> None:
        for step in range(2):
            optimizer.zero_grad()
            inputs, labels = network.batch(step, dist.get_rank())
            cross_entropy(ddp(inputs), labels).backward()
            optimizer.step()

    texts = texts_of(loop)
    assert model.weight.grad is not None
    return texts


def only_no_sync() -> list[str]:
    _, ddp, optimizer = network.made(MemSGD(compressor=Sign()))

    def loop() -> None:
        for step in range(2):
            optimizer.zero_grad()
            with ddp.no_sync():
                network.loss(ddp, step, dist.get_rank()).backward()
            optimizer.step()

    return texts_of(loop)


def observe() -> dict[str, Any]:
    return {
        "unused": unused_memories(),
        "warned": warned(),
        "unexchanged": unexchanged(),
        "replaced": replaced(),
        "usual": usual(),
        "unfrozen": unfrozen(),
        "ignored": ignored(),
        "only no_sync": only_no_sync(),
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


def test_a_layer_that_no_rank_used_keeps_weight_gradient_and_memories(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        (weight, error, rest), (weight_after, error_after, rest_after) = rank["unused"]["seen"]
        assert torch.equal(weight, weight_after)
        assert torch.equal(error, error_after)
        assert bool(error.any())
        assert not torch.equal(rest, rest_after)
        assert rank["unused"]["gradient"] is None


def test_a_forgotten_no_sync_is_told_once(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        (text,), with_no_sync, of_psgd = rank["warned"]
        assert text.startswith(
            "a second backward pass before optimizer.step exchanges gradients, and MemSGD compresses"
        )
        assert "under ddp.no_sync()" in text
        assert (with_no_sync, of_psgd) == ([], [])


def test_a_loop_that_does_not_call_the_attached_module_is_told_once(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        (of_another,), (of_module,), of_attached = rank["unexchanged"]
        assert of_another.startswith("optimizer.step used gradients that MemSGD never exchanged")
        assert "attach it to the module that the training loop calls" in of_another
        assert of_module == of_another
        assert of_attached == []


def test_a_step_of_an_optimizer_that_was_not_given_to_attach_is_told_once(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        for method in ("LIEC", "DiLoCo", "PowerSGD"):
            (text,) = rank["replaced"][method]
            assert text.startswith(
                f"a step of AdamW used gradients that {method} exchanged, but this AdamW was not given to attach; "
            )
            assert rank["replaced"][f"{method} detached"] == []


def test_usual_loops_are_not_told_anything(ranks: list[dict[str, Any]]) -> None:
    assert [rank["usual"] for rank in ranks] == [[]] * NUM_WORKERS


def test_gradients_of_unfrozen_parameters_are_told_once(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        seen = rank["unfrozen"]
        (text,) = seen["unfrozen"]
        assert text.startswith(
            "parameters that were frozen when DistributedDataParallel was made (0.weight and 1 more) have gradients"
        )
        assert (seen["frozen"], seen["wrapped anew"]) == ([], [])
        assert torch.equal(seen["model"], ranks[0]["unfrozen"]["model"])


def test_gradients_of_an_ignored_parameter_of_the_root_module_are_not_told(ranks: list[dict[str, Any]]) -> None:
    assert [rank["ignored"] for rank in ranks] == [[]] * NUM_WORKERS


def test_a_loop_whose_passes_all_run_under_no_sync_is_told_so(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        (text,) = rank["only no_sync"]
        assert text == (
            "optimizer.step used gradients that MemSGD never exchanged, because every backward pass so far ran under "
            "no_sync(); run the last one before each step outside of it"
        )
