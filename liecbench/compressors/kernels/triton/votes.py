"""Operations of ``Votes`` on a GPU."""

from dataclasses import dataclass

from torch import Tensor

from liecbench.compressors.codecs.scale import scale_of
from liecbench.compressors.kernels.triton.magnitude import mean_magnitude
from liecbench.compressors.kernels.triton.sign import SignOnGpu, pack


@dataclass(frozen=True, slots=True)
class VotesOnGpu(SignOnGpu):
    """The kernels of ``Sign``, with a scale of 1, or NaN if the vector is not finite."""

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write 1 or NaN, and the signs."""
        assert residual is None, "a vote has no error that could be kept"
        mean_magnitude(vector, scale_of(payload), as_flag=True)
        pack(vector, payload, None)
