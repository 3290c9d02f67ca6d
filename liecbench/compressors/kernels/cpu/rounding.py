"""Stochastic rounding to integers; called by kernels.

Each random number is a hash of a counter, because loops that compute such hashes vectorise.
"""

import numpy as np
from numba import njit


@njit(nogil=True)
def round_stochastically(values, factor, largest_level, counter, key, levels):  # type: ignore[no-untyped-def]
    """Round each value times ``factor`` at random up or down to an integer, so that the rounding is unbiased.

    The integers, clipped to ±``largest_level``, go to ``levels``. The level of a non-finite value is arbitrary. For
    element i, ``counter`` + i is hashed to 32 random bits. The element is rounded up if these bits, read as a number in
    [0, 1), are below the probability of rounding up, which has steps of 2⁻²⁵. The hash has two rounds of multiply and
    shift, with the constants of Wellons' hash-prospector. Each round mixes in one half of the 64-bit ``key``.
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
