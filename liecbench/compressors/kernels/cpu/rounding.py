"""Stochastic rounding to whole levels, for kernels to call; numbers by hashing a counter, so that it vectorises."""

import numpy as np
from numba import njit


@njit(nogil=True)
def round_stochastically(values, factor, most, counter, key, levels):  # type: ignore[no-untyped-def]
    """Whole ``levels`` of expectation v · factor, at most ``most`` in magnitude; what is not finite gets any.

    Element i takes the hash of ``counter`` + i. A probability is compared in steps of 2⁻²⁵ with 32 random bits.
    The hash is two rounds of multiply and shift by Wellons' constants (hash-prospector), one half of ``key`` in each.
    """
    low, high = np.uint32(key), np.uint32(key >> np.uint64(32))
    # One product would overflow: v may be denormal, and its factor then more than float32 holds.
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
        exact = exact if exact < most else most
        level = np.int32(exact)
        fraction = exact - np.float32(level)
        level += np.int32(hashed) < np.int32((fraction - np.float32(0.5)) * np.float32(2.0**32))
        levels[i] = level if values[i] > 0 else -level


@njit(inline="always")
def subtract(values, levels, scale, residual):  # type: ignore[no-untyped-def]
    """v − level · scale into ``residual``."""
    for i in range(values.size):
        residual[i] = values[i] - np.float32(levels[i]) * scale
