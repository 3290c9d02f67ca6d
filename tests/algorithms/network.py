"""A small network whose units all have gradients, and each worker's minibatches."""

import itertools
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import Algorithm
from tests.algorithms import simulation

NUM_STEPS = 12
LEARNING_RATE = 0.3
WEIGHT_DECAY = 1e-3
PERIOD = 5


def build(sizes: tuple[int, ...] = (11, 19, 13, 5), seed: int = 7) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def batch(step: int, rank: int, num_inputs: int = 11, num_classes: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1000 * step + rank)
    inputs = torch.randn(16, num_inputs, generator=generator)
    labels = (inputs[:, :num_classes] + 0.3 * torch.randn(16, num_classes, generator=generator)).argmax(dim=1)
    return inputs, labels


def loss(model: nn.Module, step: int, rank: int) -> Tensor:
    first, *_, last = model.parameters()
    inputs, labels = batch(step, rank, first.shape[1], last.shape[0])
    return cross_entropy(model(inputs.to(first.device, first.dtype)).float(), labels.to(first.device))


def flat(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().view(-1) for parameter in model.parameters()])


def gradient(model: nn.Module, weights: simulation.Vector, step: int, rank: int) -> simulation.Vector:
    """Return the gradient of one rank's minibatch at ``weights``, which become the model's parameters."""
    nn.utils.vector_to_parameters(torch.from_numpy(weights).float(), model.parameters())
    model.zero_grad()
    loss(model, step, rank).backward()
    found: simulation.Vector = (
        torch.cat([p.grad.view(-1) for p in model.parameters() if p.grad is not None]).double().numpy()
    )
    return found


def made(algorithm: Algorithm | None, **options: Any) -> tuple[nn.Sequential, DistributedDataParallel, torch.optim.SGD]:
    model = build()
    ddp, optimizer = DistributedDataParallel(model, **options), torch.optim.SGD(model.parameters(), lr=0.1)
    if algorithm is not None:
        algorithm.attach(ddp, optimizer)
    return model, ddp, optimizer


def train(ddp: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        loss(ddp, step, dist.get_rank()).backward()
        optimizer.step()
