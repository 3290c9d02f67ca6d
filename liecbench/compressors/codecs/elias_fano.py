"""Encode the positions of some of a vector's elements, in Elias–Fano code or as a bitmap, whichever is shorter."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liecbench.compressors.kernels import cpu


@dataclass(frozen=True, slots=True)
class PositionCode:
    """A code for k positions p_0 < p_1 < … in a vector of length n. All sets of k positions take equally many bytes.

    The encoded positions have two parts:

    1. The lowest ``width`` bits of every position, padded to whole bytes.
    2. A bitmap in which one bit per position is 1. For position p_j, the bit has the index
       ⌊p_j ÷ 2^``width``⌋ + ``spacing`` · j.

    If ``spacing`` is 1, this is Elias–Fano code (Elias 1974; Fano 1971), which takes at most 2 + log₂(n/k) bits per
    position if ``width`` is chosen best. If ``spacing`` and ``width`` are 0, it is a plain bitmap of the positions.

    Attributes:
        numel: The length n of the vector.
        num_positions: The number k of positions.
        width: The number of bits per position in the first part.
        spacing: 1 for Elias–Fano code, 0 for a plain bitmap.
    """

    numel: int
    num_positions: int
    width: int
    spacing: int

    @classmethod
    @functools.lru_cache(maxsize=4096)
    def shortest(cls, numel: int, num_positions: int) -> "PositionCode":
        """Return the code that encodes ``num_positions`` positions, each below ``numel``, in the fewest bytes."""
        elias_fano_codes = [cls(numel, num_positions, width, 1) for width in range(numel.bit_length())]
        return min([cls(numel, num_positions, 0, 0), *elias_fano_codes], key=lambda code: code.nbytes)

    @property
    def nbytes(self) -> int:
        """The number of bytes that all encoded positions take."""
        bitmap_bits = (self.numel - 1 >> self.width) + 1 + self.spacing * (self.num_positions - 1)
        return self.low_bytes + (bitmap_bits + 7) // 8

    @property
    def low_bytes(self) -> int:
        """The number of bytes that the lowest ``width`` bits of all positions take: the first part of the encoding."""
        return (self.width * self.num_positions + 7) // 8

    def encode(self, positions: NDArray[np.int64], first: int, packed: NDArray[np.uint8]) -> None:
        """Encode some consecutive positions of the list of k positions; separate calls may encode the others.

        Args:
            positions: The consecutive positions, int64.
            first: The index of ``positions[0]`` in the whole list, from 0.
            packed: Receives the encoded positions. It has ``nbytes`` bytes, which must be 0 before the first call.
        """
        low, bitmap = packed[: self.low_bytes], packed[self.low_bytes :]
        cpu.elias_fano.encode(positions, first, self.width, self.spacing, low, bitmap)

    def add_at(
        self, packed: NDArray[np.uint8], entries: NDArray[np.float32], weight: float, out: NDArray[np.float32]
    ) -> None:
        """Add ``weight`` times each entry to a vector, at encoded positions.

        Args:
            packed: The encoded positions, ``nbytes`` bytes.
            entries: One value per position.
            weight: The factor that multiplies every value.
            out: The vector, of ``numel`` elements, to which the values are added.
        """
        low, bitmap = packed[: self.low_bytes], packed[self.low_bytes :]
        cpu.elias_fano.add_at(low, bitmap, self.width, self.spacing, entries, weight, out)
