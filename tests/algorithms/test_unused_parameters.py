"""Layers that a step uses on some ranks only, or on none."""

from collections.abc import Callable

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from liecbench.algorithms import LIEC, Algorithm, MemSGD
from liecbench.compressors import Sign
from tests.algorithms import simulation
from tests.algorithms.test_training_loop import RATE, wrapped
from tests.distributed import run_ranks

NUM_WORKERS = 3
MAKERS: dict[str, Callable[[], Algorithm]] = {
    "memsgd": lambda: MemSGD(compressor=Sign(), block_bytes=4),
    "liec": lambda: LIEC(compressor=Sign(), average_period=4, block_bytes=4),
}
# How gradients are stored: zero_grad(set_to_none=…), DDP's gradient_as_bucket_view, and the memory format.
STORAGES = {
    "no gradients": (True, False, torch.contiguous_format),
    "gradients of zero": (False, False, torch.contiguous_format),
    "gradients as views": (True, True, torch.contiguous_format),
    "views of zero": (False, True, torch.contiguous_format),
    "channels last": (True, False, torch.channels_last),
}


class Branching(nn.Module):
    """A model with a layer that a step uses on every rank, on one, or on none."""

    def __init__(self) -> None:
        super().__init__()
        self.always, self.sometimes = nn.Conv2d(2, 3, 2), nn.Conv2d(2, 3, 2, bias=False)

    def forward(self, inputs: Tensor, both: bool) -> Tensor:
        output: Tensor = self.always(inputs)
        return output + self.sometimes(inputs) if both else output


def uses_the_layer(step: int, rank: int) -> bool:
    return (True, rank == 1, False)[step % 3]


def unused_layer(
    algorithm: Algorithm, set_to_none: bool, as_view: bool, memory_format: torch.memory_format
) -> dict[str, Tensor]:
    """Return the layer's weights and memory before every step and after the last, and its gradient in every step."""
    torch.manual_seed(1)
    model = Branching().to(memory_format=memory_format)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    ddp = wrapped(model, algorithm, optimizer, find_unused_parameters=True, gradient_as_bucket_view=as_view)
    # Every tensor is a block of its own; the layer's is the first.
    ((name, memories),) = algorithm.memories().items()
    weights, errors, gradients = [weight_of(model)], [as_vector(name, memories[0])], []
    for step in range(12):
        both = uses_the_layer(step, dist.get_rank())
        generator = torch.Generator().manual_seed(10 * step + dist.get_rank())
        inputs = torch.randn(3, 2, 3, 3, generator=generator)
        local = torch.autograd.grad(
            model(inputs, both).square().mean(), model.sometimes.weight, allow_unused=True, materialize_grads=True
        )
        optimizer.zero_grad(set_to_none)
        ddp(inputs, both).square().mean().backward()
        optimizer.step()
        weights.append(weight_of(model))
        errors.append(as_vector(name, memories[0]))
        gradients.append(local[0].reshape(-1))
    return {"weights": torch.stack(weights), "errors": torch.stack(errors), "gradients": torch.stack(gradients)}


def weight_of(model: Branching) -> Tensor:
    return model.sometimes.weight.detach().reshape(-1).clone()


def as_vector(name: str, memory: Tensor) -> Tensor:
    """Return a worker's memory, or n times a server's part of it, so that the mean over workers is the total."""
    if not name.startswith("server"):
        return memory.clone()
    whole, world_size = torch.zeros(24), dist.get_world_size()
    shards = simulation.shards_of(24, world_size, "sharded")
    if dist.get_rank() < len(shards):
        whole[shards[dist.get_rank()]] = memory * world_size
    return whole


def observe() -> dict[tuple[str, str], dict[str, Tensor]]:
    return {
        (name, storage): unused_layer(made(), *options)
        for name, made in MAKERS.items()
        for storage, options in STORAGES.items()
    }


@pytest.fixture(scope="module")
def ranks() -> list[dict[tuple[str, str], dict[str, Tensor]]]:
    return run_ranks(observe, NUM_WORKERS)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("name", MAKERS)
def test_the_update_of_a_layer_that_not_every_rank_uses_is_applied(
    ranks: list[dict[tuple[str, str], dict[str, Tensor]]], name: str, storage: str
) -> None:
    seen = [rank[name, storage] for rank in ranks]
    weights, errors, gradients = (
        torch.stack([rank[part] for rank in seen]).double().mean(dim=0) for part in ("weights", "errors", "gradients")
    )
    virtual = weights - RATE * errors

    assert float(errors[1:3].norm()) > 0.01
    torch.testing.assert_close(virtual.diff(dim=0), -RATE * gradients, rtol=0, atol=1e-6)
