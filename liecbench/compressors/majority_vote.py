"""The messages of majority vote: workers send one bit per parameter, and the server sends the majority's sign back."""

import math
from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.codecs import ternary
from liecbench.compressors.codecs.scale import SCALE_BYTES, body_of, scale_is_finite, scale_of
from liecbench.compressors.kernels.cpu import magnitude, sign
from liecbench.compressors.sign import Sign

# The mean of n ≤ 1000 votes is 0 (a tie), or at least 2/n in magnitude. Rounding errors of a tie are far smaller.
LARGEST_TIE = 1e-4


@dataclass(frozen=True)
class Votes(Sign):
    """A worker's vote: sign(v), 1 bit per parameter, with sign(±0) = +1. The scale is 1, or NaN if v is not finite.

    Source: signSGD with majority vote (Bernstein et al. 2018, arXiv 1802.04434).
    """

    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.majority_vote:VotesOnGpu"

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale, which is 1 or NaN, and the signs."""
        assert residual is None, "a vote has no error that could be kept"
        scale_of(payload).fill_(_one_or_nan(vector))
        sign.pack(vector.numpy(), body_of(payload).numpy())


@dataclass(frozen=True)
class Majority(Compressor):
    """sign(v) of a mean v of votes, 0 at a tie: 1.6 bits per parameter. The scale is 1, or NaN if v is not finite.

    Source: signSGD with majority vote (Bernstein et al. 2018, arXiv 1802.04434).
    """

    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.majority_vote:MajorityOnGpu"

    def payload_bytes(self, numel: int) -> int:
        """Return the bytes of a scale, and one byte for every 5 elements or part of 5."""
        return SCALE_BYTES + ternary.packed_bytes(numel)

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale, which is 1 or NaN, and the sign of each mean vote, 0 if it is a tie."""
        assert residual is None, "a vote has no error that could be kept"
        scale_of(payload).fill_(_one_or_nan(vector))
        signs = (vector > LARGEST_TIE).to(torch.int8).sub_((vector < -LARGEST_TIE).to(torch.int8))
        ternary.pack(signs, body_of(payload))

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write or add scale · ``weight`` · sign for each element."""
        ternary.unpack(body_of(payload), scale_of(payload).item() * weight, out, accumulate)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the scale is finite: it is NaN if the mean of the votes was not finite."""
        return scale_is_finite(payload)


def _one_or_nan(vector: Tensor) -> float:
    return 1.0 if math.isfinite(magnitude.mean_magnitude(vector.numpy())) else math.nan
