"""The models ResNet18 and ResNet34: pre-activation residual networks for small images.

Source: He et al. 2016, arXiv 1603.05027.
"""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn.functional import relu

from liecbench.errors import LiecbenchError
from liecbench.tasks.base import Model

_CHANNELS = (64, 128, 256, 512)


class Block(nn.Module):
    """A residual block: a shortcut plus two 3×3 convolutions, each after a BatchNorm and a ReLU.

    It maps ``[n, in_channels, h, w]`` to ``[n, out_channels, ⌈h / stride⌉, ⌈w / stride⌉]``. The shortcut is the input
    itself or, if the shape changes, a 1×1 convolution of the output of the first BatchNorm and ReLU.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = _conv3x3(in_channels, out_channels, stride)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = _conv3x3(out_channels, out_channels)
        self.shortcut: nn.Module | None = None
        if in_channels != out_channels or stride != 1:
            self.shortcut = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output for the batch ``x``."""
        out = relu(self.bn1(x))
        shortcut = x if self.shortcut is None else self.shortcut(out)
        residual: Tensor = self.conv2(relu(self.bn2(self.conv1(out))))
        return residual + shortcut


class Stage(nn.Sequential):
    """``num_blocks`` residual blocks with ``out_channels`` channels. The first block has ``stride``, all others 1."""

    def __init__(self, in_channels: int, out_channels: int, num_blocks: int, stride: int) -> None:
        following = [Block(out_channels, out_channels, stride=1) for _ in range(num_blocks - 1)]
        super().__init__(Block(in_channels, out_channels, stride), *following)


class Network(nn.Sequential):
    """A convolution to 64 channels, four stages of residual blocks, average pooling and a linear layer.

    Each stage but the first halves the image's height and width.
    """

    def __init__(self, in_channels: int, num_blocks: tuple[int, ...], num_classes: int) -> None:
        stages = [
            Stage(before, after, blocks, stride=1 if number == 0 else 2)
            for number, (before, after, blocks) in enumerate(
                zip((_CHANNELS[0], *_CHANNELS[:-1]), _CHANNELS, num_blocks, strict=True)
            )
        ]
        stem = _conv3x3(in_channels, _CHANNELS[0])
        head = nn.Linear(_CHANNELS[-1], num_classes)
        super().__init__(stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


class _ResNet(Model):
    num_blocks: ClassVar[tuple[int, ...]]

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
        """Return a new network with ``num_classes`` outputs. Raises LiecbenchError if inputs are not images."""
        if len(input_shape) != 3:
            message = f"a resnet takes images of shape (channels, height, width), but examples here have {input_shape}"
            raise LiecbenchError(message, "choose another model or a dataset of images")
        return Network(input_shape[0], self.num_blocks, num_classes)


@dataclass(frozen=True)
class ResNet18(_ResNet):
    """Pre-activation ResNet-18 for images with sides of 8 pixels and more: 11.2 million parameters."""

    num_blocks: ClassVar[tuple[int, ...]] = (2, 2, 2, 2)


@dataclass(frozen=True)
class ResNet34(_ResNet):
    """Pre-activation ResNet-34 for images with sides of 8 pixels and more: 21.3 million parameters."""

    num_blocks: ClassVar[tuple[int, ...]] = (3, 4, 6, 3)


def _conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)
