"""What majority vote sends: a bit a parameter to the server, and the majority's sign from it."""

import math
from collections.abc import Sequence

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.kernels.cpu import magnitude as magnitude_cpu
from liecbench.compressors.kernels.cpu import sign as sign_cpu
from liecbench.compressors.kernels.cpu import ternary as trits_cpu
from liecbench.compressors.sign import Sign

_SCALE_BYTES = 4
# A mean of n ≤ 1000 votes is 0 or at least 2/n; what rounding leaves of a tie is far below.
_TIE = 1e-4


@dataclass(frozen=True)
class Votes(Sign):
    """sign(v) without a scale, 1 bit a parameter; sign(±0) = +1. Where Sign has its scale stands 1, or NaN."""

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        assert residual is None, "a vote has no error that could be kept"
        payload[:_SCALE_BYTES].view(torch.float32).fill_(_one_or_nan(tensor))
        sign_cpu.pack(tensor.numpy(), payload[_SCALE_BYTES:].numpy())

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu
        from liecbench.compressors.kernels.triton import sign as sign_gpu

        assert residual is None, "a vote has no error that could be kept"
        magnitude_gpu.mean_magnitude(tensor, payload[:_SCALE_BYTES].view(torch.float32), as_flag=True)
        sign_gpu.pack(tensor, payload, None)


@dataclass(frozen=True)
class Majority(Compressor):
    """The sign of a mean of votes, 0 at a tie: 1.6 bits a parameter, and 1 or NaN before them."""

    def is_finite(self, message: Message) -> bool:
        """Whether every vote was cast on finite values."""
        return math.isfinite(message.payload[:_SCALE_BYTES].view(torch.float32).item())

    def payload_bytes(self, numel: int) -> int:
        """A flag, and a byte for every 5 elements or part of 5."""
        return _SCALE_BYTES + trits_cpu.packed_bytes(numel)

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        assert residual is None, "a vote has no error that could be kept"
        payload[:_SCALE_BYTES].view(torch.float32).fill_(_one_or_nan(tensor))
        signs = (tensor > _TIE).to(torch.int8).sub_((tensor < -_TIE).to(torch.int8))
        trits_cpu.pack_trits(signs.numpy(), payload[_SCALE_BYTES:].numpy())

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        flag = payload[:_SCALE_BYTES].view(torch.float32).item()
        unpack = trits_cpu.unpack_trits_add if accumulate else trits_cpu.unpack_trits
        unpack(payload[_SCALE_BYTES:].numpy(), flag * weight, out.numpy())

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu
        from liecbench.compressors.kernels.triton import ternary as trits_gpu

        assert residual is None, "a vote has no error that could be kept"
        magnitude_gpu.mean_magnitude(tensor, payload[:_SCALE_BYTES].view(torch.float32), as_flag=True)
        trits_gpu.pack_majority(tensor, payload, _TIE)

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        from liecbench.compressors.kernels.triton import ternary as trits_gpu

        trits_gpu.sum_messages(payloads, out, accumulate, weight)

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu

        return magnitude_gpu.all_finite(message.payload[:_SCALE_BYTES].view(torch.float32))


def _one_or_nan(tensor: Tensor) -> float:
    return 1.0 if math.isfinite(magnitude_cpu.mean_magnitude(tensor.numpy())) else math.nan
