import io
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import (
    CSER,
    CSGD,
    EF21,
    EF21BC,
    LIEC,
    Algorithm,
    DoubleSqueeze,
    MemSGD,
    Neolithic,
)
from liecbench.compressors import QSGD, Compressor, RandomK, Sign, TernGrad, TopK
from tests.algorithms import network, simulation
from tests.distributed import run_ranks

Rates = tuple[float, float]
Make = Callable[..., Algorithm]
NUM_WORKERS = 3
NUM_STEPS = 10
PERIOD = 8
# In step 4 the learning rates of the two parameter groups change, by different factors.
CHANGE = 4
RATES: list[Rates] = [(0.3, 0.1)] * CHANGE + [(0.1, 0.25)] * (NUM_STEPS - CHANGE)
STOPPED: list[Rates] = [(0.0, 0.1), (0.3, 0.1), (0.0, 0.0), (0.3, 0.0), (0.3, 0.1)]
KEEP_AN_ERROR_MEMORY: list[Make] = [MemSGD, DoubleSqueeze, Neolithic, CSER, LIEC, EF21, EF21BC]
UNBIASED: list[Compressor] = [QSGD(), TernGrad(), RandomK(unbiased=True)]
OWING: dict[str, Make] = {"memsgd": MemSGD, "doublesqueeze": DoubleSqueeze, "liec": LIEC}
MAKERS: dict[str, Make] = {**OWING, "cser": CSER}


@pytest.mark.parametrize("compressor", UNBIASED, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("make", KEEP_AN_ERROR_MEMORY)
def test_error_memories_refuse_compressors_that_are_no_contraction_and_say_why(
    make: Make, compressor: Compressor
) -> None:
    with pytest.raises(ValueError, match="error memory, which only a contraction keeps bounded") as error:
        make(compressor=compressor)

    assert str(compressor) in str(error.value)
    assert "csgd" in str(error.value)


@pytest.mark.parametrize("make", KEEP_AN_ERROR_MEMORY)
def test_error_memories_take_contractions(make: Make) -> None:
    for compressor in (Sign(), TopK(0.1), RandomK()):
        assert make(compressor=compressor).incompatibility(compressor) is None


@pytest.mark.parametrize("compressor", UNBIASED, ids=lambda c: type(c).__name__)
def test_csgd_takes_compressors_that_are_no_contraction(compressor: Compressor) -> None:
    assert CSGD(compressor=compressor).compressor == compressor


class Run:
    """A model in two parameter groups and one block, so that shards and server memories begin inside parameters."""

    def __init__(self, algorithm: Algorithm, rates: Rates) -> None:
        self.model, self.algorithm = network.build(), algorithm
        ddp = DistributedDataParallel(self.model)
        parameters = list(self.model.parameters())
        # Whole tensors, not adjoining: weights in one group, biases in the other.
        groups = [{"params": parameters[i::2], "lr": rate} for i, rate in enumerate(rates)]
        self.ddp, self.optimizer = ddp, torch.optim.SGD(groups)
        algorithm.attach(ddp, self.optimizer)

    def train(self, step: int, rates: Rates) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self.optimizer.zero_grad()
        network.loss(self.ddp, step, dist.get_rank()).backward()
        self.optimizer.step()

    def flat(self) -> Tensor:
        return reverse_flat(list(self.model.parameters()))

    def gradient(self, step: int) -> Tensor:
        loss = network.loss(self.model, step, dist.get_rank())
        return reverse_flat(list(torch.autograd.grad(loss, list(self.model.parameters()))))

    def owed(self) -> Tensor:
        """Return this worker's error plus n times its server's; their mean is not yet applied to the model."""
        memories = self.algorithm.memories()
        errors: list[Tensor] = memories.get("error", [torch.zeros(self.flat().numel())])
        own, world_size = errors[0].clone(), dist.get_world_size()
        served = simulation.shards_of(own.numel(), world_size, "sharded")[dist.get_rank()]
        for memory in memories.get("server_error", []):
            own[served] += world_size * memory
        return own


def reverse_flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().view(-1) for tensor in reversed(tensors)])


def rate_of_each_element(rates: Rates) -> Tensor:
    parameters = list(network.build().parameters())
    filled = [torch.full(parameter.shape, rates[i % 2]) for i, parameter in enumerate(parameters)]
    return reverse_flat(filled).double()


def made(name: str, **options: Any) -> Algorithm:
    periodic = {"average_period": PERIOD} if name in ("liec", "cser") else {}
    return MAKERS[name](compressor=Sign(), block_bytes="whole", **periodic, **options)


def trace(name: str, rescale_memory: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return models, what is not yet applied to them, and gradients: one row per step."""
    run = Run(made(name, rescale_memory=rescale_memory), RATES[0])
    models, owed, gradients = [run.flat()], [run.owed()], []
    for step, rates in enumerate(RATES):
        gradients.append(run.gradient(step))
        run.train(step, rates)
        models.append(run.flat())
        owed.append(run.owed())
    return torch.stack(models), torch.stack(owed), torch.stack(gradients)


def memories_after_rates_of_zero(name: str) -> list[float]:
    run = Run(made(name, rescale_memory=True), STOPPED[0])
    for step, rates in enumerate(STOPPED):
        run.train(step, rates)
    memories = run.algorithm.memories().values()
    return [float(memory.norm()) for values in memories for memory in values]


def saved_before_a_change(name: str) -> tuple[list[list[float]], list[list[float]], bool]:
    """Return learning rates saved and restored, and whether resumed training is equal to the bit."""
    run = Run(made(name, rescale_memory=True), RATES[0])
    for step in range(CHANGE):
        run.train(step, RATES[step])
    file = io.BytesIO()
    torch.save([run.model.state_dict(), run.algorithm.state_dict()], file)
    file.seek(0)
    model, state = torch.load(file, weights_only=True)
    again = Run(made(name, rescale_memory=True), RATES[CHANGE])
    again.model.load_state_dict(model)
    again.algorithm.load_state_dict(state)
    restored = [list(rates) for rates in again.algorithm.own_state()["learning_rates"]]
    for step in range(CHANGE, CHANGE + 3):
        run.train(step, RATES[step])
        again.train(step, RATES[step])
    (own,) = state.values()
    return own["learning_rates"], restored, torch.equal(run.flat(), again.flat())


def rates_that_are_saved_without_rescaling() -> list[list[float]]:
    run = Run(made("memsgd", rescale_memory=False), (0.1, 0.2))
    run.train(0, (0.01, 0.02))
    rates: list[list[float]] = run.algorithm.own_state()["learning_rates"]
    return rates


def observe() -> dict[str, Any]:
    return {
        "plain rates": rates_that_are_saved_without_rescaling(),
        "traces": {(name, rescales): trace(name, rescales) for name in MAKERS for rescales in (True, False)},
        "norms": {name: memories_after_rates_of_zero(name) for name in MAKERS},
        "saved": {name: saved_before_a_change(name) for name in MAKERS},
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, NUM_WORKERS)


def deviations(ranks: list[dict[str, Any]], name: str, rescale_memory: bool) -> Tensor:
    """Return per step how far y = x̄ − η_{t−1} · mean(owed) is from moving by −η_t · mean(g), relative to that."""
    traces = [rank["traces"][name, rescale_memory] for rank in ranks]
    models, owed, gradients = (torch.stack(parts).double().mean(dim=0) for parts in zip(*traces, strict=True))
    rates = torch.stack([rate_of_each_element(rates) for rates in RATES])
    virtual = models - torch.cat([rates[:1], rates]) * owed
    expected = -rates * gradients
    distances: Tensor = (virtual.diff(dim=0) - expected).norm(dim=1) / expected.norm(dim=1)
    return distances


@pytest.mark.parametrize("name", OWING)
def test_rescaled_memories_keep_the_virtual_iterate_when_learning_rates_change(
    ranks: list[dict[str, Any]], name: str
) -> None:
    assert float(deviations(ranks, name, rescale_memory=True).max()) < 1e-5


@pytest.mark.parametrize("name", OWING)
def test_memories_in_gradient_units_break_the_virtual_iterate_when_learning_rates_change(
    ranks: list[dict[str, Any]], name: str
) -> None:
    broken = deviations(ranks, name, rescale_memory=False)

    assert (broken > 1e-5).tolist() == [step == CHANGE for step in range(NUM_STEPS)]
    assert float(broken[CHANGE]) > 0.1


def test_saved_rates_are_those_of_the_last_step(ranks: list[dict[str, Any]]) -> None:
    assert {rate for rank in ranks for rates in rank["plain rates"] for rate in rates} == {0.01, 0.02}


def disagreements(ranks: list[dict[str, Any]], rescale_memory: bool) -> Tensor:
    """Return per step how far CSER's workers are from one x_i − η_{t−1} e_i, relative to their models' distance."""
    traces = [rank["traces"]["cser", rescale_memory] for rank in ranks]
    models, errors, _ = (torch.stack(parts).double() for parts in zip(*traces, strict=True))
    common = models - torch.stack([rate_of_each_element(rates) for rates in [RATES[0], *RATES]]) * errors
    distances: Tensor = apart(common)[1:] / apart(models)[1:]
    return distances


def apart(vectors: Tensor) -> Tensor:
    distances: Tensor = (vectors - vectors.mean(dim=0)).norm(dim=2).amax(dim=0)
    return distances


def test_rescaled_errors_of_cser_keep_one_model_when_learning_rates_change(ranks: list[dict[str, Any]]) -> None:
    assert float(disagreements(ranks, rescale_memory=True).max()) < 1e-5


def test_errors_of_cser_in_gradient_units_lose_the_one_model(ranks: list[dict[str, Any]]) -> None:
    broken = disagreements(ranks, rescale_memory=False)

    assert float(broken[:CHANGE].max()) < 1e-5
    assert float(broken[CHANGE:].min()) > 0.1


@pytest.mark.parametrize("rescale_memory", [True, False])
def test_cser_follows_its_equations_when_learning_rates_change(
    ranks: list[dict[str, Any]], rescale_memory: bool
) -> None:
    traces = [rank["traces"]["cser", rescale_memory] for rank in ranks]
    models, _, gradients = (torch.stack(parts).double().numpy() for parts in zip(*traces, strict=True))
    rates = [rate_of_each_element(rates).numpy() for rates in [RATES[0], *RATES]]
    zeros = np.zeros(models.shape[2])
    block = simulation.Block([zeros] * NUM_WORKERS, zeros, zeros)
    compress = simulation.per_piece(simulation.scaled_sign, simulation.shards_of(zeros.size, NUM_WORKERS, "sharded"))
    for step, (before, rate) in enumerate(itertools.pairwise(rates)):
        if rescale_memory:
            block.worker = [error * before / rate for error in block.worker]
        averages = (step + 1) % PERIOD == 0
        updates = simulation.updates("cser", block, list(gradients[:, step]), averages, compress)
        steps = models[:, step + 1] - models[:, step]
        np.testing.assert_allclose(steps, -rate * np.stack(updates), rtol=1e-3, atol=1e-6)


def test_cser_rescales_its_memory_unless_told_otherwise() -> None:
    rescaling = {name for name, make in MAKERS.items() if getattr(make(compressor=Sign()), "rescale_memory", False)}

    assert rescaling == {"cser"}


@pytest.mark.parametrize("name", MAKERS)
def test_learning_rates_of_zero_leave_memories_finite(ranks: list[dict[str, Any]], name: str) -> None:
    for rank in ranks:
        assert all(0 < norm < float("inf") for norm in rank["norms"][name])


@pytest.mark.parametrize("name", MAKERS)
def test_saved_learning_rates_are_those_that_memories_are_in(ranks: list[dict[str, Any]], name: str) -> None:
    by_parameter = [[RATES[0][i % 2] for i in reversed(range(6))]]

    assert [rank["saved"][name] for rank in ranks] == [(by_parameter, by_parameter, True)] * NUM_WORKERS
