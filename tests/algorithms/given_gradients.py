"""A model whose gradients are given numbers plus its parameters, and its training on a rank."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import Algorithm
from tests.algorithms import simulation

NUM_STEPS = 12
LEARNING_RATE, WEIGHT_DECAY = 0.02, 0.01
# The first elements of the first tensor are always 0, as are the gradients there.
NUM_ZEROS = 5


class Given(nn.Module):
    def __init__(self, shapes: list[tuple[int, ...]]) -> None:
        super().__init__()
        self.tensors = nn.ParameterList([nn.Parameter(initial(i, shape)) for i, shape in enumerate(shapes)])

    def forward(self, step: int, rank: int) -> Tensor:
        losses = [(p * given(step, rank, i, p.shape) + p.square() / 2).sum() for i, p in enumerate(self.tensors)]
        return torch.stack(losses).sum()


def given(step: int, rank: int, index: int, shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(10_000 * step + 100 * rank + index)
    common = torch.Generator().manual_seed(index)
    values = torch.randn(shape, generator=generator) + torch.randn(shape, generator=common)
    values.view(-1)[: NUM_ZEROS if index == 0 else 0] = 0
    return values


def initial(index: int, shape: tuple[int, ...]) -> Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(77 + index))
    values.view(-1)[: NUM_ZEROS if index == 0 else 0] = 0
    return values


def gradients(weights: list[simulation.Vector], step: int, rank: int) -> list[simulation.Vector]:
    """Return the gradients of one rank's parameters, each in the shape of its parameter."""
    return [w + given(step, rank, i, w.shape).double().numpy() for i, w in enumerate(weights)]


def initial_weights(shapes: list[tuple[int, ...]]) -> list[simulation.Vector]:
    return [initial(i, shape).double().numpy() for i, shape in enumerate(shapes)]


class Training:
    """The training of a ``Given`` model on this rank, by SGD with weight decay."""

    def __init__(self, algorithm: Algorithm, shapes: list[tuple[int, ...]]) -> None:
        self.model, self.algorithm = Given(shapes), algorithm
        self.ddp = DistributedDataParallel(self.model, bucket_cap_mb=0.0002)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        algorithm.attach(self.ddp, self.optimizer)
        # For each step its kind, and bytes sent, bytes received and messages: counted, and by the schedule.
        self.moved: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []

    def train(self, first: int = 0, last: int = NUM_STEPS) -> list[Tensor]:
        algorithm, rank = self.algorithm, dist.get_rank()
        shapes = [parameter.shape for parameter in self.model.parameters()]
        for step in range(first, last):
            schedule = algorithm.schedule(shapes, world_size=dist.get_world_size(), step=step)
            before = counted(algorithm)
            self.optimizer.zero_grad()
            self.ddp(step, rank).backward()
            self.optimizer.step()
            algorithm.synchronize()
            moved = tuple(after - old for after, old in zip(counted(algorithm), before, strict=True))
            scheduled = (*schedule.payload_bytes()[rank], schedule.num_messages()[rank])
            self.moved.append((algorithm.step_kind(step), moved, scheduled))
        return [parameter.detach().clone() for parameter in self.model.parameters()]


def counted(algorithm: Algorithm) -> tuple[int, int, int]:
    counters = algorithm.counters
    return counters.sent_bytes, counters.received_bytes, counters.sent_messages


def resumed(make: Callable[[], Algorithm], shapes: list[tuple[int, ...]], middle: int) -> dict[str, Any]:
    """Train, and go on from the middle with another model and method, which got the first ones' states."""
    whole = Training(make(), shapes)
    whole.train(0, middle)
    state, model = copy.deepcopy(whole.algorithm.state_dict()), copy.deepcopy(whole.model.state_dict())
    again = Training(make(), shapes)
    again.model.load_state_dict(model)
    again.algorithm.load_state_dict(state)
    finals = {"whole": whole.train(middle), "resumed": again.train(middle), "moved": [*whole.moved, *again.moved]}
    for training in (whole, again):
        training.algorithm.close()
    return finals


def stepped(weights: simulation.Vector, update: simulation.Vector) -> simulation.Vector:
    """Return a parameter after a step of the optimizer of ``Training`` by ``update``."""
    return weights - LEARNING_RATE * (update + WEIGHT_DECAY * weights)


def refusals(ddp: DistributedDataParallel, cases: Iterable[tuple[Algorithm, torch.optim.Optimizer]]) -> list[str]:
    """Return the messages of the errors that ``attach`` raises."""
    found = []
    for algorithm, optimizer in cases:
        with pytest.raises(ValueError, match=r".") as error:
            algorithm.attach(ddp, optimizer)
        found.append(str(error.value))
    return found


def relative_difference(actual: list[Tensor], expected: list[simulation.Vector]) -> float:
    left = np.concatenate([tensor.double().numpy().ravel() for tensor in actual])
    right = np.concatenate([array.ravel() for array in expected])
    return float(np.linalg.norm(left - right) / np.linalg.norm(right))
