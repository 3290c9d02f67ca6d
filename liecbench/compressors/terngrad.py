"""TernGrad: −1, 0 or 1 for every entry, and one scale a message."""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Message
from liecbench.compressors.codecs.rng import Randomised
from liecbench.compressors.kernels.cpu import magnitude as magnitude_cpu
from liecbench.compressors.kernels.cpu import ternary as trits_cpu
from liecbench.compressors.kernels.cpu import terngrad as terngrad_cpu

_SCALE_BYTES = 4


@dataclass(frozen=True)
class TernGrad(Randomised):
    """C(v) = s · sign(v) · Bernoulli(|v|/s) with s = max|v|: unbiased, 1.6 bits a parameter and one float32 scale.

    No contraction. Source: TernGrad (Wen et al. 2017, arXiv 1705.07878), section 3, without its clipping.
    """

    seed: Annotated[int, Ge(0)] = 0

    @property
    def is_contraction(self) -> bool:
        """No: its error may be larger than the vector."""
        return False

    def is_finite(self, message: Message) -> bool:
        """Whether the scale is: what is not finite ranks above all magnitudes."""
        return math.isfinite(_scale(message.payload).item())

    def payload_bytes(self, numel: int) -> int:
        """A scale, and a byte for every 5 entries or part of 5."""
        return _SCALE_BYTES + trits_cpu.packed_bytes(numel)

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        values = tensor.numpy()
        scale = magnitude_cpu.largest_magnitude(values)
        _scale(payload).fill_(scale)
        kept = tensor if residual is None else residual
        terngrad_cpu.compress(
            values,
            scale,
            np.uint64(self._key(self.seed)),
            payload[_SCALE_BYTES:].numpy(),
            kept.numpy(),
            residual is not None,
            kept.data_ptr() == tensor.data_ptr(),
        )

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        unpack = trits_cpu.unpack_trits_add if accumulate else trits_cpu.unpack_trits
        unpack(payload[_SCALE_BYTES:].numpy(), _scale(payload).item() * weight, out.numpy())

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu
        from liecbench.compressors.kernels.triton import terngrad as terngrad_gpu

        magnitude_gpu.largest_magnitude(tensor, _scale(payload))
        terngrad_gpu.compress(tensor, payload, residual, self._key(self.seed))

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        from liecbench.compressors.kernels.triton import ternary as trits_gpu

        trits_gpu.sum_messages(payloads, out, accumulate, weight)

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu

        return magnitude_gpu.all_finite(_scale(message.payload))


def _scale(payload: Tensor) -> Tensor:
    return payload[:_SCALE_BYTES].view(torch.float32)
