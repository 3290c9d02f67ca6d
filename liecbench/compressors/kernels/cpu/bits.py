"""Operations on the bits of a uint64, which numba inlines into kernels."""

import numpy as np
from numba import njit

# The De Bruijn sequence B(2, 6): the top 6 bits of its product with 2^i differ for every i.
_SEQUENCE = 0x03F7_9D71_B4CB_0A89
_INDEX_BY_TOP_BITS = np.zeros(64, np.int64)
for _index in range(64):
    _INDEX_BY_TOP_BITS[(_SEQUENCE << _index & 0xFFFF_FFFF_FFFF_FFFF) >> 58] = _index
_FACTOR = np.uint64(_SEQUENCE)


@njit(inline="always")
def lowest_bit(word):  # type: ignore[no-untyped-def]
    """Return the index, from 0, of the lowest 1 bit of the uint64 ``word``, which must not be 0."""
    alone = np.uint64(word & np.uint64(np.uint64(0) - word))
    return _INDEX_BY_TOP_BITS[np.uint64(alone * _FACTOR) >> np.uint64(58)]


@njit(inline="always")
def without_lowest_bit(word):  # type: ignore[no-untyped-def]
    """Return the uint64 ``word`` with its lowest set bit cleared, so 0b1100 becomes 0b1000; ``word`` must not be 0."""
    return np.uint64(word & np.uint64(word - np.uint64(1)))
