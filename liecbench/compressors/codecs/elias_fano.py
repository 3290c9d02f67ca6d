"""How rising positions travel: Elias–Fano code, or a bitmap where that is shorter."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from liecbench.compressors.kernels.cpu import elias_fano as positions_cpu


@dataclass(frozen=True, slots=True)
class Coding:
    """``kept`` of ``numel`` positions p_0 < p_1 < … in a number of bytes that depends on nothing else.

    Elias–Fano (Elias 1974; Fano 1971), ``step`` 1: the lowest ``width`` bits of every p_j, then a bitmap with ones at
    (p_j div 2^width) + j; at most 2 + log₂(numel/kept) bits a position. ``step`` 0: the bitmap with ones at p_j.
    """

    numel: int
    kept: int
    width: int
    step: int

    @classmethod
    @functools.lru_cache(maxsize=4096)
    def shortest(cls, numel: int, kept: int) -> "Coding":
        """The one of fewest bytes."""
        fano = [cls(numel, kept, width, 1) for width in range(numel.bit_length())]
        return min([cls(numel, kept, 0, 0), *fano], key=lambda coding: coding.nbytes)

    @property
    def nbytes(self) -> int:
        """Bytes of all positions."""
        ones = (self.numel - 1 >> self.width) + 1 + self.step * (self.kept - 1)
        return self._low_bytes + (ones + 7) // 8

    def encode(self, positions: NDArray[np.int64], first: int, packed: NDArray[np.uint8]) -> None:
        """Add positions number ``first`` and on to ``packed``, which starts as zeros."""
        low, high = packed[: self._low_bytes], packed[self._low_bytes :]
        positions_cpu.encode(positions, first, self.width, self.step, low, high)

    def add_at(
        self, packed: NDArray[np.uint8], entries: NDArray[np.float32], weight: float, out: NDArray[np.float32]
    ) -> None:
        """Add ``weight`` · entry j to ``out`` at p_j."""
        low, high = packed[: self._low_bytes], packed[self._low_bytes :]
        positions_cpu.add_at(low, high, self.width, self.step, entries, weight, out)

    def encode_on_gpu(self, positions: Tensor, packed: Tensor) -> None:
        """All positions, int64, to ``packed``, whatever it was."""
        from liecbench.compressors.kernels.triton import elias_fano as positions_gpu

        positions_gpu.encode(positions, self._low_bytes, self.width, self.step, packed)

    def add_at_on_gpu(self, packed: Tensor, entries: Tensor, weight: float, out: Tensor) -> None:
        """Add ``weight`` · entry j to ``out`` at p_j."""
        from liecbench.compressors.kernels.triton import elias_fano as positions_gpu

        positions_gpu.add_at(packed, self._low_bytes, self.width, self.step, entries, weight, out)

    @property
    def _low_bytes(self) -> int:
        return (self.width * self.kept + 7) // 8
