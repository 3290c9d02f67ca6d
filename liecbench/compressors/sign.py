"""Scaled sign: one bit an element and one scale a message."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.kernels.cpu import magnitude as magnitude_cpu
from liecbench.compressors.kernels.cpu import sign as sign_cpu

_SCALE_BYTES = 4


@dataclass(frozen=True)
class Sign(Compressor):
    """C(v) = mean|v| · sign(v), 1 bit a parameter and one float32 scale; sign(±0) = +1.

    A δ-contraction with δ = ‖v‖₁² / (n ‖v‖₂²). Source: LIEC-SGD (arXiv 2402.11857), definition 4 (SignSGD).
    """

    def is_finite(self, message: Message) -> bool:
        """Whether the scale is: the mean of magnitudes is finite only where all of them are."""
        return math.isfinite(message.payload[:_SCALE_BYTES].view(torch.float32).item())

    def payload_bytes(self, numel: int) -> int:
        """A scale, and a byte for every 8 elements or part of 8."""
        return _SCALE_BYTES + (numel + 7) // 8

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        values = tensor.numpy()
        scale = magnitude_cpu.mean_magnitude(values)
        payload[:_SCALE_BYTES].view(torch.float32).fill_(scale)
        bits = payload[_SCALE_BYTES:].numpy()
        if residual is None:
            sign_cpu.pack(values, bits)
        else:
            in_place = residual.data_ptr() == tensor.data_ptr()
            sign_cpu.pack_with_residual(values, scale, bits, residual.numpy(), in_place)

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        scale = payload[:_SCALE_BYTES].view(torch.float32).item() * weight
        unpack = sign_cpu.unpack_add if accumulate else sign_cpu.unpack
        unpack(payload[_SCALE_BYTES:].numpy(), scale, out.numpy())

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu
        from liecbench.compressors.kernels.triton import sign as sign_gpu

        magnitude_gpu.mean_magnitude(tensor, payload[:_SCALE_BYTES].view(torch.float32))
        sign_gpu.pack(tensor, payload, residual)

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        from liecbench.compressors.kernels.triton import sign as sign_gpu

        sign_gpu.sum_messages(payloads, out, accumulate, weight)

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu

        return magnitude_gpu.all_finite(message.payload[:_SCALE_BYTES].view(torch.float32))


@dataclass(frozen=True)
class BlockSign(Sign):
    """Blockwise SignSGD: ``Sign`` of each block under its other name; the paper's runs use blocks of 5 MiB.

    A scenario without ``block_bytes`` cuts such blocks; in Python give the algorithm ``block_bytes=5 * 2**20``.

    Source: LIEC-SGD (arXiv 2402.11857), definition 5.
    """

    preferred_block_bytes: ClassVar[int] = 5 * 2**20
