"""The compressor Int8: quantise linearly to 8 bits, with one scale per message or per group of values."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.codecs import group_scales
from liecbench.compressors.kernels import cpu


@dataclass(frozen=True)
class Int8(Compressor):
    """C(v) = s · round(v/s) with s = max|v| / 127: 8 bits per parameter and one float32 scale.

    With ``values_per_scale`` set, s is computed for that many adjacent entries at a time, and each of these groups has
    a scale of its own. The error of an entry is at most s/2.

    Attributes:
        values_per_scale: The number of adjacent entries that share a scale, a power of two from 8 to 4096; None for one
            scale per message.
    """

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("int8", "residual")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.int8:Int8OnGpu"

    values_per_scale: group_scales.ValuesPerScale | None = None

    def payload_bytes(self, numel: int) -> int:
        """Return 4 bytes per scale plus one byte per element."""
        return group_scales.scales_bytes(numel, self.values_per_scale or numel) + numel

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write to ``payload`` a scale for each group of elements, then a level for each element v.

        A group is ``values_per_scale`` adjacent elements, or the whole ``vector`` if ``values_per_scale`` is None. The
        scale is the group's max|v| / 127. The level is the integer nearest to v / scale. Unless ``residual`` is None,
        also write v − level · scale to ``residual``.
        """
        scales, levels = self.parts(payload, vector.numel())
        group, kept = self.values_per_scale or vector.numel(), cpu.residual.residual_arguments(vector, residual)
        cpu.int8.encode(vector.numpy(), group, scales.numpy(), _levels(levels), *kept)

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` · scale · level of each element to ``out``, or add it to ``out`` if ``accumulate``."""
        scales, levels = self.parts(payload, out.numel())
        group = self.values_per_scale or out.numel()
        cpu.int8.decode(scales.numpy(), _levels(levels), group, weight, out.numpy(), accumulate)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all scales are finite. NaN or infinity in a group makes the group's scale NaN or infinite."""
        scales, _ = self.parts(payload, numel)
        return scales.isfinite().all()

    def parts(self, payload: Tensor, numel: int) -> tuple[Tensor, Tensor]:
        """Return views of the two parts of ``payload``: the scales, float32, and the levels, one byte each."""
        return group_scales.split(payload, numel, self.values_per_scale or numel)


def _levels(levels: Tensor) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    return levels.numpy().view(np.int8)
