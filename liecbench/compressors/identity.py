"""No compression: float32 as it is."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor, Message


@dataclass(frozen=True)
class Identity(Compressor):
    """C(v) = v, 32 bits per parameter; the message shares the vector's memory."""

    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.identity:IdentityOnGpu"

    def compress(self, tensor: Tensor, residual: Tensor | None = None) -> Message:
        """Return a message that is a view of the vector, or a copy if ``residual`` is the vector, which becomes 0."""
        if residual is not None and residual.data_ptr() == tensor.data_ptr():
            return super().compress(tensor, residual)
        if residual is not None:
            residual.zero_()
        return Message(tensor.view(torch.uint8), tensor.numel())

    def payload_bytes(self, numel: int) -> int:
        """Return 4 bytes per element."""
        return 4 * numel

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Copy the vector to ``payload``, and set ``residual`` to 0."""
        payload.view(torch.float32).copy_(vector)
        if residual is not None:
            residual.zero_()

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write or add ``weight`` times the vector."""
        values = payload.view(torch.float32)
        if accumulate:
            out.add_(values, alpha=weight)
        else:
            torch.mul(values, weight, out=out)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the sum of all values is finite; computing it needs one pass and no mask in memory."""
        return payload.view(torch.float32).sum().isfinite()
