"""The compressors FP16 and BF16, which cast float32 to 16 bits."""

from typing import ClassVar

import numpy as np
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.kernels import cpu


class _HalfPrecision(Compressor):
    """The base class of FP16 and BF16: round to nearest, and clip finite values to ± the format's largest value.

    Attributes:
        is_float16: True for float16, False for bfloat16.
        infinity_code: The 16-bit code of +infinity, as an integer. If the sign bit is ignored, the code of a finite
            value is smaller than ``infinity_code``, and the code of NaN is larger.
    """

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("half_precision", "residual")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.half_precision:HalfPrecisionOnGpu"
    is_float16: ClassVar[bool]
    infinity_code: ClassVar[int]

    def payload_bytes(self, numel: int) -> int:
        """Return 2 bytes per element."""
        return 2 * numel

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the values of ``vector``, rounded to 16 bits, to ``payload``.

        Unless ``residual`` is None, also write ``vector`` minus the rounded values to ``residual``.
        """
        kept = cpu.residual.residual_arguments(vector, residual)
        cpu.half_precision.encode(vector.numpy(), _codes(payload), self.is_float16, *kept)

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` times the values in ``payload`` to ``out`` as float32, or add them if ``accumulate``."""
        cpu.half_precision.decode(_codes(payload), weight, out.numpy(), self.is_float16, accumulate)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether no value in ``payload`` is infinite or NaN."""
        return torch.tensor(cpu.half_precision.largest_code(_codes(payload)) < self.infinity_code)


@dataclass(frozen=True)
class FP16(_HalfPrecision):
    """C(v) is v in IEEE half precision, 16 bits per parameter; finite values beyond ±65504 become ±65504."""

    is_float16: ClassVar[bool] = True
    infinity_code: ClassVar[int] = 0x7C00


@dataclass(frozen=True)
class BF16(_HalfPrecision):
    """C(v) is v in bfloat16, 16 bits per parameter: float32's range with 8 bits of precision."""

    is_float16: ClassVar[bool] = False
    infinity_code: ClassVar[int] = 0x7F80


def _codes(payload: Tensor) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    return payload.numpy().view(np.uint16)
