"""The compressor QSGD: divide each bucket of 512 entries by its norm, and round entries at random to a few levels."""

from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Le
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.codecs.rng import Randomised
from liecbench.compressors.kernels import cpu
from liecbench.compressors.kernels.layout import BUCKET

_NORM_BYTES = 4


@dataclass(frozen=True)
class QSGD(Randomised):
    """C(v) = ‖v‖₂ · sign(v) · ξ/s: stochastic rounding to s ``levels``, unbiased, one norm for each 512 entries.

    ξ is s · |v| / ‖v‖₂, rounded up or down at random.

    A message takes ⌈log₂(2s + 1)⌉ bits per parameter and one float32 norm per bucket of 512 entries. With s = 7 these
    are 4 + 1/16 bits per parameter. QSGD is no contraction. Source: QSGD (Alistarh et al. 2017, arXiv 1610.02132),
    section 3, with buckets, and with levels of a fixed width instead of Elias coding.

    Attributes:
        levels: The number s of levels above 0.
        seed: The seed of the random rounding.
    """

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("qsgd", "residual")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.qsgd:QSGDOnGpu"

    levels: Annotated[int, Ge(1), Le(127)] = 7
    seed: Annotated[int, Ge(0)] = 0

    @property
    def is_contraction(self) -> bool:
        """False, because the error may be larger than the vector."""
        return False

    @property
    def width(self) -> int:
        """The number of bits that one level takes. A level is an integer from −s to s, with s = ``levels``."""
        return (2 * self.levels).bit_length()

    def payload_bytes(self, numel: int) -> int:
        """Return the size of a message for a vector of ``numel`` entries, in bytes.

        A message has 4 bytes per bucket for the norm, and ``width`` bits per entry for the level. For the levels, the
        number of entries is rounded up to a multiple of 8.
        """
        return _NORM_BYTES * _num_buckets(numel) + (numel + 7) // 8 * self.width

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the norm of each bucket and the randomly rounded levels to ``payload``.

        Unless ``residual`` is None, also write the compression error to ``residual``: ``vector`` minus the decoded
        message.
        """
        norms, packed = _parts(payload, vector.numel())
        key = np.uint64(self.seed_of_message(self.seed))
        values, kept = vector.numpy(), cpu.residual.residual_arguments(vector, residual)
        cpu.qsgd.encode(values, self.levels, self.width, key, norms.numpy(), packed.numpy(), *kept)

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` times the decoded vector to ``out``, or add this product to ``out`` if ``accumulate``.

        An entry is decoded as n · l / ``levels``, where n is the norm of the entry's bucket, and l the entry's level.
        """
        norms, packed = _parts(payload, out.numel())
        cpu.qsgd.decode(norms.numpy(), packed.numpy(), self.levels, self.width, weight, out.numpy(), accumulate)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all norms are finite. If any entry of a bucket is NaN or infinite, so is the bucket's norm."""
        return self.norms(payload, numel).isfinite().all()

    def norms(self, payload: Tensor, numel: int) -> Tensor:
        """Return a view of the norms in the payload of a vector of ``numel`` entries: float32, one norm per bucket."""
        norms, _ = _parts(payload, numel)
        return norms


def _parts(payload: Tensor, numel: int) -> tuple[Tensor, Tensor]:
    size = _NORM_BYTES * _num_buckets(numel)
    return payload[:size].view(torch.float32), payload[size:]


def _num_buckets(numel: int) -> int:
    return -(-numel // BUCKET)
