"""Bit tricks for kernels to inline."""

import numpy as np
from numba import njit

# De Bruijn's sequence B(2, 6): the top 6 bits of its product with 2^i are different for every i.
_SEQUENCE = 0x03F7_9D71_B4CB_0A89
_PLACES = np.zeros(64, np.int64)
for _place in range(64):
    _PLACES[(_SEQUENCE << _place & 0xFFFF_FFFF_FFFF_FFFF) >> 58] = _place
_FACTOR = np.uint64(_SEQUENCE)


@njit(inline="always")
def lowest_bit(word):  # type: ignore[no-untyped-def]
    """The place of the lowest bit that is 1, of a uint64 that is not 0."""
    alone = np.uint64(word & np.uint64(np.uint64(0) - word))
    return _PLACES[np.uint64(alone * _FACTOR) >> np.uint64(58)]


@njit(inline="always")
def without_lowest_bit(word):  # type: ignore[no-untyped-def]
    """That word with its lowest 1 turned to 0."""
    return np.uint64(word & np.uint64(word - np.uint64(1)))
