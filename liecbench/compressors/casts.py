"""Casts to fewer bits: float16, bfloat16, and whole numbers of one scale."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.kernels.cpu import casts as casts_cpu
from liecbench.compressors.kernels.cpu import int8 as int8_cpu
from liecbench.compressors.kernels.cpu import magnitude as magnitude_cpu

_SCALE_BYTES = 4
_LEAST_SCALE = 2.0**-149


class _Cast16(Compressor):
    """16 bits a parameter, rounded to nearest; finite values beyond the format's range become its largest."""

    _half: ClassVar[bool]
    _infinity: ClassVar[int]

    def is_finite(self, message: Message) -> bool:
        """Whether all values are."""
        return bool(casts_cpu.largest_code(_codes(message.payload)) < self._infinity)

    def payload_bytes(self, numel: int) -> int:
        """Two bytes an element."""
        return 2 * numel

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        kept = tensor if residual is None else residual
        in_place = kept.data_ptr() == tensor.data_ptr()
        casts_cpu.compress(tensor.numpy(), _codes(payload), kept.numpy(), self._half, residual is not None, in_place)

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        casts_cpu.decompress(_codes(payload), weight, out.numpy(), self._half, accumulate)

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        from liecbench.compressors.kernels.triton import casts as casts_gpu

        casts_gpu.compress(tensor, payload, residual, half=self._half)

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        from liecbench.compressors.kernels.triton import casts as casts_gpu

        casts_gpu.sum_messages(payloads, out, accumulate, weight, half=self._half)

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu

        return magnitude_gpu.all_finite(message.payload.view(torch.int16), self._infinity)


@dataclass(frozen=True)
class FP16(_Cast16):
    """C(v) is v in IEEE half precision, 16 bits a parameter; beyond ±65504 it saturates."""

    _half: ClassVar[bool] = True
    _infinity: ClassVar[int] = 0x7C00


@dataclass(frozen=True)
class BF16(_Cast16):
    """C(v) is v in bfloat16, 16 bits a parameter: float32's range with 8 bits of precision."""

    _half: ClassVar[bool] = False
    _infinity: ClassVar[int] = 0x7F80


@dataclass(frozen=True)
class Int8(Compressor):
    """C(v) = s · round(v/s) with s = max|v| / 127: 8 bits a parameter and one float32 scale."""

    def is_finite(self, message: Message) -> bool:
        """Whether the scale is: what is not finite ranks above all magnitudes."""
        return math.isfinite(_scale(message.payload).item())

    def payload_bytes(self, numel: int) -> int:
        """A scale, and a byte an element."""
        return _SCALE_BYTES + numel

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        values = tensor.numpy()
        scale = magnitude_cpu.largest_magnitude(values) / 127
        if 0 < scale < _LEAST_SCALE:
            scale = _LEAST_SCALE
        _scale(payload).fill_(scale)
        kept = tensor if residual is None else residual
        in_place = kept.data_ptr() == tensor.data_ptr()
        int8_cpu.compress(values, scale, _levels(payload), kept.numpy(), residual is not None, in_place)

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        int8_cpu.decompress(_levels(payload), _scale(payload).item() * weight, out.numpy(), accumulate)

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        from liecbench.compressors.kernels.triton import int8 as int8_gpu

        int8_gpu.compress(tensor, payload, residual)

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        from liecbench.compressors.kernels.triton import int8 as int8_gpu

        int8_gpu.sum_messages(payloads, out, accumulate, weight)

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu

        return magnitude_gpu.all_finite(_scale(message.payload))


def _codes(payload: Tensor) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    return payload.numpy().view(np.uint16)


def _levels(payload: Tensor) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    return payload[_SCALE_BYTES:].numpy().view(np.int8)


def _scale(payload: Tensor) -> Tensor:
    return payload[:_SCALE_BYTES].view(torch.float32)
