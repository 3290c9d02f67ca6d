"""The model CNN, a small convolutional network."""

from itertools import pairwise
from typing import Annotated

from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import nn

from liecbench.errors import LiecbenchError
from liecbench.tasks.base import Model


@dataclass(frozen=True)
class CNN(Model):
    """A 3×3 convolution, ReLU and 2×2 max pooling, repeated ``layers`` times, then a linear layer; no BatchNorm.

    The first convolution has ``channels`` output channels. Each later convolution has twice as many as the convolution
    before. The height and the width of the images must be at least 2**``layers`` pixels.
    """

    channels: Annotated[int, Ge(1)] = 32
    layers: Annotated[int, Ge(1)] = 2

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
        """Return a new network with ``num_classes`` outputs.

        Raises LiecbenchError if inputs are not images, or are too small for ``layers``.
        """
        if len(input_shape) != 3:
            message = f"a cnn takes images of shape (channels, height, width), but examples here have {input_shape}"
            raise LiecbenchError(message, "choose another model or a dataset of images")
        in_channels, height, width = input_shape
        fitting = min(height, width).bit_length() - 1
        if self.layers > fitting:
            message = f"{self.layers} layers of a cnn halve images of {height}×{width} pixels until nothing is left"
            raise LiecbenchError(message, f"choose larger images or fewer layers ({fitting} at most)")
        widths = [in_channels, *(self.channels * 2**layer for layer in range(self.layers))]
        remaining = widths[-1] * (height >> self.layers) * (width >> self.layers)
        layers = [layer for pair in pairwise(widths) for layer in _layer(*pair)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(remaining, num_classes))


def _layer(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
