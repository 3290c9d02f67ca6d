"""The compressor TernGrad: send −1, 0 or 1 for every entry, and one scale per message."""

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.codecs import ternary
from liecbench.compressors.codecs.rng import Randomised
from liecbench.compressors.codecs.scale import SCALE_BYTES, body_of, scale_is_finite, scale_of
from liecbench.compressors.kernels import cpu


@dataclass(frozen=True)
class TernGrad(Randomised):
    """C(v) = s · sign(v) · Bernoulli(|v|/s) with s = max|v|: unbiased, 1.6 bits per parameter and one float32 scale.

    TernGrad is no contraction. Source: TernGrad (Wen et al. 2017, arXiv 1705.07878), section 3, without gradient
    clipping.

    Attributes:
        seed: The seed of the random rounding.
    """

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("magnitude", "residual", "ternary", "terngrad")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.terngrad:TernGradOnGpu"

    seed: Annotated[int, Ge(0)] = 0

    @property
    def is_contraction(self) -> bool:
        """False, because the error may be larger than the vector."""
        return False

    def payload_bytes(self, numel: int) -> int:
        """Return the 4 bytes of the scale plus one byte per 5 entries, rounded up."""
        return SCALE_BYTES + ternary.packed_bytes(numel)

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale, which is the largest magnitude in ``vector``, and a level per entry to ``payload``.

        The level is a random −1, 0 or 1. Unless ``residual`` is None, also write ``vector`` − C(``vector``) to
        ``residual``.
        """
        values, key = vector.numpy(), np.uint64(self.seed_of_message(self.seed))
        scale = cpu.magnitude.largest_magnitude(values)
        scale_of(payload).fill_(scale)
        kept = cpu.residual.residual_arguments(vector, residual)
        cpu.terngrad.encode(values, scale, key, body_of(payload).numpy(), *kept)

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` · scale · sign of each entry to ``out``, or add it to ``out`` if ``accumulate``."""
        ternary.unpack(body_of(payload), scale_of(payload).item() * weight, out, accumulate)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the payload's scale is finite, as a boolean tensor of shape [].

        The scale is not finite if any element of the encoded vector is NaN or infinite.
        """
        return scale_is_finite(payload)
