"""Random-k: entries at positions that both ends draw alike, so that only values travel."""

import functools
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Message
from liecbench.compressors.codecs import ratio as share
from liecbench.compressors.codecs.rng import Randomised, key
from liecbench.compressors.kernels.cpu import random_k as random_k_cpu

_ENTRY_BYTES = 4


@dataclass(frozen=True)
class RandomK(Randomised):
    """C(v) keeps ⌈ratio · n⌉ entries at positions drawn from ``seed``, step, block, shard and stage; no index travels.

    A δ-contraction with δ = k/n in expectation; where ``unbiased`` the entries are scaled by n/k and it is none. A
    server's answer, which keeps the positions that came up, is not scaled again.
    Source: Sparsified SGD with Memory (Stich et al. 2018, arXiv 1809.07599), section 2.
    """

    ratio: share.Ratio = 0.01
    seed: Annotated[int, Ge(0)] = 0
    unbiased: bool = False

    @property
    def is_contraction(self) -> bool:
        """Unless it is ``unbiased``."""
        return not self.unbiased

    def kept(self, numel: int) -> int:
        """k: how many of ``numel`` entries travel."""
        return share.kept(self.ratio, numel)

    def is_finite(self, message: Message) -> bool:
        """Whether the values are: the first is made NaN where any of the vector, sent or not, is not finite."""
        return bool(message.payload.view(torch.float32).isfinite().all())

    def payload_bytes(self, numel: int) -> int:
        """A value for each entry kept."""
        return _ENTRY_BYTES * self.kept(numel)

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        entries = payload.view(torch.float32)
        kept = tensor if residual is None else residual
        finite = random_k_cpu.take(
            tensor.numpy(),
            self._positions(tensor.numel()).numpy(),
            self._scale(tensor.numel()),
            entries.numpy(),
            kept.numpy(),
            residual is not None,
            kept.data_ptr() == tensor.data_ptr(),
        )
        if not finite:
            entries[0] = torch.nan

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        if not accumulate:
            out.zero_()
        out.index_add_(0, self._positions(out.numel()), payload.view(torch.float32), alpha=weight)

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        from liecbench.compressors.kernels.triton import random_k as random_k_gpu

        positions = self._positions_on(tensor.device, tensor.numel())
        random_k_gpu.take(tensor, positions, self._scale(tensor.numel()), payload.view(torch.float32), residual)

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """One message after the other: each touches only the entries that it holds."""
        from liecbench.compressors.kernels.triton import random_k as random_k_gpu

        if not accumulate:
            out.zero_()
        positions = self._positions_on(out.device, out.numel())
        for payload in payloads:
            random_k_gpu.add_at(positions, payload.view(torch.float32), weight, out)

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        from liecbench.compressors.kernels.triton import magnitude as magnitude_gpu

        return magnitude_gpu.all_finite(message.payload.view(torch.float32))

    def _scale(self, numel: int) -> float:
        return numel / self.kept(numel) if self.unbiased and not self._draw.from_server else 1.0

    @functools.cached_property
    def _drawn(self) -> dict[int, Tensor]:
        return {}

    @functools.cached_property
    def _drawn_on(self) -> dict[tuple[torch.device, int], Tensor]:
        return {}

    def _positions_on(self, device: torch.device, numel: int) -> Tensor:
        """Those of this draw there, where the length last asked for is remembered, too; nobody waits for the device."""
        if device.type == "cpu":
            return self._positions(numel)
        found = self._drawn_on.get((device, numel))
        if found is None:
            found = self._positions(numel).pin_memory().to(device, non_blocking=True)
            self._drawn_on.clear()
            self._drawn_on[device, numel] = found
        return found

    def _positions(self, numel: int) -> Tensor:
        """Those of this draw; the length last asked for is remembered, because a server asks once for every sender."""
        found = self._drawn.get(numel)
        if found is None:
            draw = self._draw
            number = key(self.seed, draw.step, draw.block, draw.shard, draw.stage)
            positions = np.empty(self.kept(numel), np.int64)
            random_k_cpu.draw(numel, np.uint64(number), positions)
            found = torch.from_numpy(positions)
            self._drawn.clear()
            self._drawn[numel] = found
        return found
