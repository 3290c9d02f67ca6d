"""QSGD: stochastic rounding to a few levels of the norm of each bucket."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Le
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Message
from liecbench.compressors.codecs.rng import Randomised
from liecbench.compressors.kernels.cpu import qsgd as qsgd_cpu


@dataclass(frozen=True)
class QSGD(Randomised):
    """C(v) = ‖v‖₂ · sign(v) · ξ/s: stochastic rounding to s ``levels``, unbiased, one norm for each 512 entries.

    ⌈log₂(2s + 1)⌉ bits a parameter and one float32 norm a bucket: 4 + 1/16 with s = 7. No contraction.
    Source: QSGD (Alistarh et al. 2017, arXiv 1610.02132), section 3, with buckets and levels of a fixed width.
    """

    levels: Annotated[int, Ge(1), Le(127)] = 7
    seed: Annotated[int, Ge(0)] = 0

    @property
    def is_contraction(self) -> bool:
        """No: its error may be larger than the vector."""
        return False

    def is_finite(self, message: Message) -> bool:
        """Whether the norms are: a bucket's is finite only where all its entries are."""
        norms, _ = self._parts(message.payload, message.numel)
        return bool(norms.isfinite().all())

    def payload_bytes(self, numel: int) -> int:
        """A float32 norm a bucket, and for every 8 entries or part of 8 a byte for each bit of a level."""
        return 4 * _buckets(numel) + (numel + 7) // 8 * self._width

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        norms, packed = self._parts(payload, tensor.numel())
        kept = tensor if residual is None else residual
        qsgd_cpu.compress(
            tensor.numpy(),
            self.levels,
            self._width,
            np.uint64(self._key(self.seed)),
            norms.numpy(),
            packed.numpy(),
            kept.numpy(),
            residual is not None,
            kept.data_ptr() == tensor.data_ptr(),
        )

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        norms, packed = self._parts(payload, out.numel())
        qsgd_cpu.decompress(norms.numpy(), packed.numpy(), self.levels, self._width, weight, out.numpy(), accumulate)

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        from liecbench.compressors.kernels.triton import qsgd as qsgd_gpu

        key = self._key(self.seed)
        qsgd_gpu.compress(tensor, payload, residual, most=self.levels, width=self._width, key=key)

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        from liecbench.compressors.kernels.triton import qsgd as qsgd_gpu

        qsgd_gpu.sum_messages(payloads, out, accumulate, weight, most=self.levels, width=self._width)

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu

        norms, _ = self._parts(message.payload, message.numel)
        return magnitude_gpu.all_finite(norms)

    @property
    def _width(self) -> int:
        """Bits of one of the 2s + 1 levels from −s to s."""
        return (2 * self.levels).bit_length()

    def _parts(self, payload: Tensor, numel: int) -> tuple[Tensor, Tensor]:
        norms = 4 * _buckets(numel)
        return payload[:norms].view(torch.float32), payload[norms:]


def _buckets(numel: int) -> int:
    return -(-numel // qsgd_cpu.BUCKET)
