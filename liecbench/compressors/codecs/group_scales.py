"""Access to payloads that begin with one float32 scale for each group of adjacent values."""

from typing import Literal

import torch
from torch import Tensor

from liecbench.compressors.codecs.scale import SCALE_BYTES

# Powers of two, so that GPU kernels take whole groups at a time.
ValuesPerScale = Literal[8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]


def scales_bytes(numel: int, values_per_scale: int) -> int:
    """Return the number of bytes of the scales of ``numel`` values.

    Each group of ``values_per_scale`` values has a scale of 4 bytes. The last group may have fewer values.
    """
    return SCALE_BYTES * -(-numel // values_per_scale)


def split(payload: Tensor, numel: int, values_per_scale: int) -> tuple[Tensor, Tensor]:
    """Return two views of a payload: the scales, as float32, and the bytes after the scales.

    The payload has ``numel`` values, and one scale for each group of ``values_per_scale`` values.
    """
    size = scales_bytes(numel, values_per_scale)
    return payload[:size].view(torch.float32), payload[size:]
