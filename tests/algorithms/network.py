"""A small network without dead units, and each worker's minibatches."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

NUM_STEPS = 24
LEARNING_RATE = 0.3
WEIGHT_DECAY = 1e-3
PERIOD = 5


def build() -> nn.Module:
    torch.manual_seed(7)
    return nn.Sequential(nn.Linear(11, 19), nn.Tanh(), nn.Linear(19, 13), nn.Tanh(), nn.Linear(13, 5))


def batch(step: int, rank: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1000 * step + rank)
    inputs = torch.randn(16, 11, generator=generator)
    labels = (inputs[:, :5] + 0.3 * torch.randn(16, 5, generator=generator)).argmax(dim=1)
    return inputs, labels


def loss(model: nn.Module, step: int, rank: int) -> Tensor:
    inputs, labels = batch(step, rank)
    return cross_entropy(model(inputs), labels)


def flat(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().view(-1) for parameter in model.parameters()])
