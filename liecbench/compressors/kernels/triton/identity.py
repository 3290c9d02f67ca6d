"""GPU implementation of the compressor Identity: torch copies and adds vectors; a kernel checks for NaN or infinity."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from liecbench.compressors.identity import Identity
from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.triton.magnitude import all_values_finite


@dataclass(frozen=True, slots=True)
class IdentityOnGpu(Operations):
    """The GPU implementation of the compressor ``Identity``."""

    compressor: Identity

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Copy ``vector`` to ``payload``, and set ``residual`` to 0 unless it is None."""
        self.compressor.encode(vector, payload, residual)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` times the sum of the payloads' vectors to ``out``, or add it if ``accumulate``."""
        self.compressor.sum_payloads(payloads, out, accumulate, weight)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all float32 values in ``payload`` are finite, as a boolean tensor of shape [].

        ``numel`` is ignored.
        """
        return all_values_finite(payload.view(torch.float32))
