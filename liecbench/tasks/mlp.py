"""The model MLP, a multi-layer perceptron."""

import math
from itertools import pairwise
from typing import Annotated

from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import nn

from liecbench.tasks.base import Model


@dataclass(frozen=True)
class MLP(Model):
    """Fully connected layers with ReLU between them: ``layers`` hidden layers of ``width`` units."""

    width: Annotated[int, Ge(1)] = 256
    layers: Annotated[int, Ge(0)] = 2

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
        """Return a new network with ``num_classes`` outputs, which flattens its inputs first."""
        widths = [math.prod(input_shape), *[self.width] * self.layers]
        hidden = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(widths[-1], num_classes))
