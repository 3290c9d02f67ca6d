"""No compression: float32 as it is."""

from collections.abc import Sequence

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor, Message


@dataclass(frozen=True)
class Identity(Compressor):
    """C(v) = v, 32 bits a parameter; the message shares the vector's memory."""

    def compress(self, tensor: Tensor, residual: Tensor | None = None) -> Message:
        """The vector itself; a copy where ``residual`` shares its memory, because the residual becomes zero."""
        if residual is not None and residual.data_ptr() == tensor.data_ptr():
            return super().compress(tensor, residual)
        if residual is not None:
            residual.zero_()
        return Message(tensor.view(torch.uint8), tensor.numel())

    def is_finite(self, message: Message) -> bool:
        """Whether the sum is: one pass, no mask in memory."""
        return bool(message.payload.view(torch.float32).sum().isfinite())

    def payload_bytes(self, numel: int) -> int:
        """Four bytes an element."""
        return 4 * numel

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        payload.view(torch.float32).copy_(tensor)
        if residual is not None:
            residual.zero_()

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        values = payload.view(torch.float32)
        if accumulate:
            out.add_(values, alpha=weight)
        else:
            torch.mul(values, weight, out=out)

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        self._compress(tensor, payload, residual)

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        for number, payload in enumerate(payloads):
            self._decompress(payload, out, accumulate or number > 0, weight)

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu

        return magnitude_gpu.all_finite(message.payload.view(torch.float32))
