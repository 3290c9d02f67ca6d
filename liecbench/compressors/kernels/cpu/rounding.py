"""Stochastic rounding to integers; called by kernels.

Each random number is a hash of a counter, because loops that compute such hashes vectorise.
"""

import numpy as np
from numba import njit


@njit(nogil=True)
def round_stochastically(values, factor, largest_level, counter, key, levels):  # type: ignore[no-untyped-def]
    """Round each value times ``factor`` at random up or down to an integer, so that the rounding is unbiased.

    The integers, clipped to ±``largest_level``, go to ``levels``. The level of a non-finite value is arbitrary. The
    random bits of element i are a hash of ``counter`` + i and of the 64-bit ``key``, with the constants of Wellons'
    hash-prospector. The probability of rounding up has steps of 2⁻²⁵.
    """
    low, high = np.uint32(key), np.uint32(key >> np.uint64(32))
    # Two products, because one factor could overflow float32: if v is denormal, its factor may be too large.
    first, second = np.float32(1), np.float32(factor)
    if factor > 2.0**64:
        first, second = np.float32(2.0**64), np.float32(factor * 2.0**-64)
    for i in range(values.size):
        hashed = np.uint32(np.uint32(counter + np.uint32(i)) + low)
        hashed = np.uint32(np.uint32(hashed ^ (hashed >> np.uint32(16))) * np.uint32(0x21F0AAAD))
        hashed = np.uint32(np.uint32(hashed ^ (hashed >> np.uint32(15))) + high)
        hashed = np.uint32(np.uint32(hashed ^ (hashed >> np.uint32(16))) * np.uint32(0xD35A2D97))
        hashed = np.uint32(hashed ^ (hashed >> np.uint32(15)))
        exact = abs(values[i]) * first * second
        exact = exact if exact < largest_level else largest_level
        level = np.int32(exact)
        fraction = exact - np.float32(level)
        level += np.int32(hashed) < np.int32((fraction - np.float32(0.5)) * np.float32(2.0**32))
        levels[i] = level if values[i] > 0 else -level
