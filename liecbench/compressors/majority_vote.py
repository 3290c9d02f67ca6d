"""The compressors of signSGD with majority vote: workers send signs, and the server sends back the majority's signs."""

import math
from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.codecs import ternary
from liecbench.compressors.codecs.scale import SCALE_BYTES, body_of, scale_is_finite, scale_of
from liecbench.compressors.kernels import cpu
from liecbench.compressors.sign import Sign

# The mean of n ≤ 1000 votes is 0 (a tie), or at least 2/n in magnitude. Rounding errors of a tie are far smaller.
LARGEST_TIE = 1e-4


@dataclass(frozen=True)
class Votes(Sign):
    """C(v) = sign(v), a worker's vote: 1 bit per parameter and one float32 scale; sign(±0) = +1.

    The receiver multiplies the signs by the scale, which is 1, or NaN if v is not finite.
    Source: signSGD with majority vote (Bernstein et al. 2018, arXiv 1802.04434).
    """

    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.majority_vote:VotesOnGpu"

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale (1, or NaN if ``vector`` is not finite) and the signs to ``payload``.

        ``residual`` must be None.
        """
        assert residual is None, "a vote has no error that could be kept"
        scale_of(payload).fill_(_one_or_nan(vector))
        cpu.sign.pack(vector.numpy(), body_of(payload).numpy())


@dataclass(frozen=True)
class Majority(Compressor):
    """The sign of most workers' votes, or 0 at a tie: 1.6 bits per parameter.

    The server compresses the mean v of the workers' votes: C(v) = sign(v). A message also has a float32 scale, by which
    the receiver multiplies the signs: 1, or NaN if a vote is not finite. Source: signSGD with majority vote (Bernstein
    et al. 2018, arXiv 1802.04434).
    """

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("magnitude", "ternary")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.majority_vote:MajorityOnGpu"

    def payload_bytes(self, numel: int) -> int:
        """Return the number of bytes: 4 for the scale, plus one per 5 elements, rounded up."""
        return SCALE_BYTES + ternary.packed_bytes(numel)

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale (1, or NaN if ``vector`` is not finite) and a sign per element to ``payload``.

        ``vector`` is the mean of the workers' votes. The sign of an element is 0 at a tie, that is, if the element is 0
        up to rounding errors. ``residual`` must be None.
        """
        assert residual is None, "a vote has no error that could be kept"
        scale_of(payload).fill_(_one_or_nan(vector))
        signs = (vector > LARGEST_TIE).to(torch.int8).sub_((vector < -LARGEST_TIE).to(torch.int8))
        ternary.pack(signs, body_of(payload))

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` · scale · s to ``out`` for each sign s (−1, 0 or 1) in ``payload``.

        The scale is in ``payload``, too. If ``accumulate``, add the products to ``out`` instead of overwriting ``out``.
        """
        ternary.unpack(body_of(payload), scale_of(payload).item() * weight, out, accumulate)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the payload's scale is finite, as a boolean tensor of shape [].

        ``encode`` writes NaN as the scale if any worker's vote is not finite.
        """
        return scale_is_finite(payload)


def _one_or_nan(vector: Tensor) -> float:
    return 1.0 if math.isfinite(cpu.magnitude.mean_magnitude(vector.numpy())) else math.nan
