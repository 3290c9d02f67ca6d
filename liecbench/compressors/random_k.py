"""The compressor RandomK: sender and receiver draw the same random positions, so only the values there are sent."""

import functools
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.codecs.rng import Randomised
from liecbench.compressors.kernels import cpu
from liecbench.compressors.sparsity import ENTRY_BYTES, Ratio, num_kept

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class RandomK(Randomised):
    """C(v) keeps k = ⌈ratio · n⌉ of the n entries at random, by default at the same positions on all workers.

    - With ``shared_mask`` (the default), all workers and the server keep the same positions in a step. The server drops
      no further entries. The variance of the workers' mean does not fall with the number of workers.
    - Without ``shared_mask``, each sender draws its own positions. The server drops further entries. The variance of
      the workers' mean falls with the number of workers.

    No positions are sent: sender and receiver draw the same positions from ``seed`` and the message's ``RngKey``.

    Without ``unbiased`` (the default), C is a δ-contraction with δ = k/n in expectation. With ``unbiased``, C is no
    contraction, because the workers multiply the entries by n/k, up to float32's largest value. The server does so only
    without ``shared_mask``.

    Source: Sparsified SGD with Memory (Stich et al. 2018, arXiv 1809.07599), section 2.

    Attributes:
        ratio: The fraction of the entries that is kept.
        seed: The seed from which the positions are drawn.
        unbiased: Whether the entries are multiplied by n/k, so that the mean of C(v) is v.
        shared_mask: Whether all workers keep the same positions in a step.
    """

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("random_k", "residual")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.random_k:RandomKOnGpu"

    ratio: Ratio = 0.01
    seed: Annotated[int, Ge(0)] = 0
    unbiased: bool = False
    shared_mask: bool = True

    @property
    def is_contraction(self) -> bool:
        """True if ``unbiased`` is false. If ``unbiased`` is true, the error may be larger than the vector."""
        return not self.unbiased

    @property
    def decodes_by_sender(self) -> bool:
        """True if decoding a message needs the sender's rank. This is so if ``shared_mask`` is false."""
        return not self.shared_mask

    def payload_bytes(self, numel: int) -> int:
        """Return the number of bytes: 4 for each of the k kept entries."""
        return ENTRY_BYTES * num_kept(self.ratio, numel)

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the elements of ``vector`` at the drawn positions to ``payload``, multiplied by a factor.

        The factor is the result of ``scale``. Unless ``residual`` is None, also write ``vector`` minus the decoded
        payload to ``residual``.

        If any element of ``vector`` is not finite, even an element that is not sent, the first number in ``payload``
        becomes NaN. ``all_finite`` then returns False for ``payload``.
        """
        entries, positions = payload.view(torch.float32), self.positions(vector.numel())
        scale, kept = self.scale(vector.numel()), cpu.residual.residual_arguments(vector, residual)
        finite = cpu.random_k.take(vector.numpy(), positions.numpy(), scale, entries.numpy(), *kept)
        if not finite:
            entries[0] = torch.nan

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Add ``weight`` times each entry to ``out`` at its position. Unless ``accumulate``, first set ``out`` to 0."""
        if not accumulate:
            out.zero_()
        out.index_add_(0, self.positions(out.numel()), payload.view(torch.float32), alpha=weight)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether all entries in ``payload`` are finite."""
        return payload.view(torch.float32).isfinite().all()

    def scale(self, numel: int) -> float:
        """Return the factor by which the sender multiplies the kept entries of the current message.

        The factor is 1 or n/k, where n is ``numel`` and k is the number of kept entries:

        - If ``unbiased`` is false, the factor is 1.
        - If ``unbiased`` is true, the factor of a worker's message is n/k. The factor of a server's message is 1 if
          ``shared_mask`` is true, else n/k.

        Args:
            numel: The number of elements of the uncompressed vector.
        """
        leaves_out = not (self.shared_mask and self.rng_key.from_server)
        return numel / num_kept(self.ratio, numel) if self.unbiased and leaves_out else 1.0

    def positions(self, numel: int, device: torch.device = _CPU) -> Tensor:
        """Return the positions to keep in a vector of ``numel`` elements, ascending, int64 of shape [k] on ``device``.

        The host does not wait for a GPU. The last result is cached per device, because a server needs the same
        positions for every sender.
        """
        known_numel, positions = self._positions_on.get(device, (None, None))
        if positions is None or known_numel != numel:
            if device.type == "cpu":
                positions = self._draw(numel)
            else:
                positions = self.positions(numel).pin_memory().to(device, non_blocking=True)
            self._positions_on[device] = numel, positions
        return positions

    @functools.cached_property
    def _positions_on(self) -> dict[torch.device, tuple[int, Tensor]]:
        return {}

    def _draw(self, numel: int) -> Tensor:
        positions = np.empty(num_kept(self.ratio, numel), np.int64)
        seed = self.seed_of_all_senders(self.seed) if self.shared_mask else self.seed_of_message(self.seed)
        cpu.random_k.draw(numel, np.uint64(seed), positions)
        return torch.from_numpy(positions)
