"""The training loop that every variant changes in its own way."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import Algorithm

LIMIT: Final = timedelta(seconds=120)


class Plain:
    """Stands for a method in a loop of plain DDP."""

    def attach(self, ddp: nn.Module, optimizer: object) -> None:
        self.parameters = list(ddp.parameters())

    def detach(self) -> None:
        return

    def clip_grad_norm_(self, max_norm: float) -> Tensor:
        return nn.utils.clip_grad_norm_(self.parameters, max_norm)


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9, weight_decay=0.1)


def group() -> dist.ProcessGroup:
    made = dist.new_group(timeout=LIMIT)
    assert isinstance(made, dist.ProcessGroup)
    return made


@dataclass
class Loop:
    """A model, by default of two layers, trained on each rank's own batches."""

    method: Any
    model: Any = field(default_factory=two_layers)
    options: dict[str, Any] = field(default_factory=dict)
    compiles: Callable[[nn.Module], Any] = lambda ddp: ddp
    wraps: Callable[[Any], Any] = lambda optimizer: optimizer

    def start(self, optimizer: Any = None) -> Self:
        """Attach the method to the model and ``optimizer``, by default SGD with momentum."""
        if "process_group" not in self.options:
            self.options["process_group"] = group()
        self.ddp = self.compiles(DistributedDataParallel(self.model, **self.options))
        self.optimizer = self.wraps(optimizer or sgd(self.model))
        self.method.attach(self.ddp, self.optimizer)
        self.number = 0
        self.ends: list[int] = []  # the method's step in each call of after_step
        if isinstance(self.method, Algorithm):
            self.method.after_step = self._after_step  # type: ignore[method-assign]
        return self

    def _after_step(self) -> None:
        self.ends.append(self.method.step)
        type(self.method).after_step(self.method)

    def loss(self) -> Tensor:
        """Return the loss of the next batch."""
        self.number += 1
        inputs = torch.randn(6, 4, generator=torch.Generator().manual_seed(2 * self.number + dist.get_rank()))
        dtype = next(self.model.parameters()).dtype
        output: Tensor = self.ddp(inputs.to(dtype))
        return output.float().square().mean()

    def steps(self, number: int = 4, between: Callable[[], object] = lambda: None) -> Self:
        """Train; call ``between`` between each backward pass and the optimizer's step."""
        for _ in range(number):
            self.optimizer.zero_grad()
            self.loss().backward()
            between()
            self.optimizer.step()
        return self

    def run(self, between: Callable[[], object] = lambda: None) -> Self:
        """Start, and train four steps."""
        self.start().steps(between=between)
        assert isinstance(self.method, Plain) or self.ends == [1, 2, 3, 4], f"after_step ran at steps {self.ends}"
        return self

    def managed(self) -> Tensor:
        """Return all parameters but ignored ones, as one vector in double precision."""
        ignored = getattr(self.model, "_ddp_params_and_buffers_to_ignore", ())
        used = [p for name, p in self.model.named_parameters() if name not in ignored]
        return torch.cat([torch.empty(0).double(), *(p.detach().double().flatten() for p in used)])


class Variants(dict[str, Callable[[Any], Loop]]):
    """Functions that train with the method that they are given, by name."""

    def add(self, function: Callable[[Any], Loop]) -> Callable[[Any], Loop]:
        """Add ``function`` under its name, with spaces; used as a decorator."""
        self[function.__name__.replace("_", " ")] = function
        return function


@contextmanager
def unchanged(parameter: Tensor) -> Iterator[None]:
    """Assert that ``parameter`` is the same after the ``with`` body."""
    before = parameter.detach().clone()
    yield
    assert torch.equal(before, parameter), "a parameter was updated without a gradient"


@contextmanager
def without_warnings() -> Iterator[None]:
    """Raise warnings as errors in the ``with`` body."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
