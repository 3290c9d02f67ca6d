"""The compressor that does not compress: a message holds the float32 values of its vector."""

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
        """Return a message whose payload is a view of ``tensor``, and set ``residual`` to 0 unless it is None.

        If ``residual`` is ``tensor`` itself, the payload is a copy.
        """
        if residual is not None and residual.data_ptr() == tensor.data_ptr():
            return super().compress(tensor, residual)
        if residual is not None:
            residual.zero_()
        return Message(tensor.view(torch.uint8), tensor.numel())

    def payload_bytes(self, numel: int) -> int:
        """Return 4 bytes per element."""
        return 4 * numel

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Copy ``vector`` to ``payload``, and set ``residual`` to 0 unless it is None."""
        payload.view(torch.float32).copy_(vector)
        if residual is not None:
            residual.zero_()

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` times the vector in ``payload`` to ``out``, or add it to ``out`` if ``accumulate``."""
        values = payload.view(torch.float32)
        if accumulate:
            out.add_(values, alpha=weight)
        else:
            torch.mul(values, weight, out=out)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all values of the message are finite, as a boolean tensor of shape []."""
        values = payload.view(torch.float32)
        # If the sum is finite, all values are; computing it takes one pass and no mask in memory. If the sum is not
        # finite, the values may still be, because their sum may have overflowed.
        finite = values.sum().isfinite()
        return finite if finite else values.isfinite().all()
