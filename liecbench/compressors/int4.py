"""The compressor Int4: quantise linearly to 4 bits, with one scale for each group of values."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.codecs import group_scales
from liecbench.compressors.kernels import cpu


@dataclass(frozen=True)
class Int4(Compressor):
    """C(v) = s · round(v/s) with s = max|v| / 7 per group of entries: 4 bits per entry, one float32 scale per group.

    With the default of 256 entries per group, a message takes 4 + 1/8 bits per parameter. The error of an entry is at
    most s/2. Source: the two-hop quantized all-reduce of ZeRO++ (Wang et al. 2023, arXiv 2306.10209), with symmetric
    levels.

    Attributes:
        values_per_scale: The number of adjacent entries of a group, a power of two from 8 to 4096.
    """

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("int4", "residual")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.int4:Int4OnGpu"

    values_per_scale: group_scales.ValuesPerScale = 256

    def payload_bytes(self, numel: int) -> int:
        """Return a message's number of bytes: half a byte per element, rounded up, plus 4 bytes per scale.

        Each group of ``values_per_scale`` elements has one scale.
        """
        return group_scales.scales_bytes(numel, self.values_per_scale) + (numel + 1) // 2

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale of each group and the level of each element to ``payload``.

        The level of an element v is the integer nearest to v / scale. Unless ``residual`` is None, write
        v − level · scale to ``residual``.
        """
        scales, packed = self.parts(payload, vector.numel())
        kept = cpu.residual.residual_arguments(vector, residual)
        cpu.int4.encode(vector.numpy(), self.values_per_scale, scales.numpy(), packed.numpy(), *kept)

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` · scale · level of each element to ``out``, or add these products if ``accumulate``.

        The payload has one level per element, and one scale per group of ``values_per_scale`` elements.
        """
        scales, packed = self.parts(payload, out.numel())
        cpu.int4.decode(scales.numpy(), packed.numpy(), self.values_per_scale, weight, out.numpy(), accumulate)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all scales are finite. NaN or infinity in a group makes the group's scale NaN or infinite."""
        scales, _ = self.parts(payload, numel)
        return scales.isfinite().all()

    def parts(self, payload: Tensor, numel: int) -> tuple[Tensor, Tensor]:
        """Return views of the two parts of ``payload``: the scales, float32, and the packed levels, uint8."""
        return group_scales.split(payload, numel, self.values_per_scale)
