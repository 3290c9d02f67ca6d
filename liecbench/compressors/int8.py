"""The compressor Int8: quantise linearly to 8 bits, with one scale per message."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.codecs.scale import SCALE_BYTES, body_of, scale_is_finite, scale_of
from liecbench.compressors.kernels import cpu

# The smallest float32 above 0: a scale that rounds to 0 would lose the whole vector.
SMALLEST_SCALE = 2.0**-149


@dataclass(frozen=True)
class Int8(Compressor):
    """C(v) = s · round(v/s) with s = max|v| / 127: 8 bits per parameter and one float32 scale."""

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("int8", "magnitude", "residual")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.int8:Int8OnGpu"

    def payload_bytes(self, numel: int) -> int:
        """Return the 4 bytes of the scale plus one byte per element."""
        return SCALE_BYTES + numel

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale max|v| / 127 and, for each element v, the integer level nearest to v / scale to ``payload``.

        Unless ``residual`` is None, write v − level · scale to ``residual``.
        """
        values = vector.numpy()
        scale = cpu.magnitude.largest_magnitude(values) / 127
        if 0 < scale < SMALLEST_SCALE:
            scale = SMALLEST_SCALE
        scale_of(payload).fill_(scale)
        cpu.int8.encode(values, scale, _levels(payload), *cpu.residual.residual_arguments(vector, residual))

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` · scale · level of each element to ``out``, or add it to ``out`` if ``accumulate``."""
        cpu.int8.decode(_levels(payload), scale_of(payload).item() * weight, out.numpy(), accumulate)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the scale is finite. If any element of the vector is NaN or infinite, so is the scale."""
        return scale_is_finite(payload)


def _levels(payload: Tensor) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    return body_of(payload).numpy().view(np.int8)
