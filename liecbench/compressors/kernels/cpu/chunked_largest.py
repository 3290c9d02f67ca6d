"""Find the exact k largest magnitudes of every chunk of a vector.

A float32 vector is passed as its bits, int32. Without their sign bits, these integers are in the order of the
magnitudes, and NaN and infinity are the largest. A chunk stays in the cache while it is searched: k maxima of disjoint
parts of the chunk bound its k-th largest magnitude from below, one pass collects the candidates that reach the bound,
and a bisection finds the k-th largest of these few.
"""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled

_MAGNITUDE = np.int32(0x7FFFFFFF)


@njit(nogil=True)
def _lower_bound(bits, k, maxima):  # type: ignore[no-untyped-def]
    """Return a number that at least ``k`` of the magnitudes reach: the smallest of ``k`` maxima of disjoint parts."""
    for j in range(k):
        maxima[j] = bits[j] & _MAGNITUDE
    for row in range(1, bits.size // k):
        part = bits[row * k : (row + 1) * k]
        for j in range(k):
            maxima[j] = max(maxima[j], np.int32(part[j] & _MAGNITUDE))
    smallest = _MAGNITUDE
    for j in range(k):
        smallest = min(smallest, maxima[j])
    return smallest


@njit(nogil=True)
def _collect(bits, bound, places, magnitudes):  # type: ignore[no-untyped-def]
    count = 0
    for i in range(bits.size):
        # Write every place, and let the next one overwrite it unless its magnitude reaches the bound. A branch would
        # often be mispredicted.
        magnitude = np.int32(bits[i] & _MAGNITUDE)
        places[count] = i
        magnitudes[count] = magnitude
        count += magnitude >= bound
    return count


@njit(nogil=True)
def _num_above(magnitudes, bound):  # type: ignore[no-untyped-def]
    count = np.int32(0)
    for i in range(magnitudes.size):
        count += np.int32(magnitudes[i] > bound)
    return count


@njit(nogil=True)
def _kth_largest(magnitudes, k, bound):  # type: ignore[no-untyped-def]
    """Return the ``k``-th largest of ``magnitudes``, which all are at least ``bound``."""
    low, high = np.int64(bound), np.int64(_MAGNITUDE) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if _num_above(magnitudes, np.int32(middle - 1)) >= k:
            low = middle
        else:
            high = middle
    return np.int32(low)


@compiled("void(i4[::1], i8, i8, i8[::1])")
def largest_of_chunks(bits, chunk, kept, positions):  # type: ignore[no-untyped-def]
    """Write the positions of the ``kept`` largest magnitudes of every ``chunk`` elements, ascending, to ``positions``.

    Of equal magnitudes, those at lower positions are preferred. The last chunk may be shorter; a chunk of at most
    ``kept`` elements has all its positions written.
    """
    places, magnitudes = np.empty(chunk, np.int32), np.empty(chunk, np.int32)
    maxima = np.empty(kept, np.int32)
    written = 0
    for start in range(0, bits.size, chunk):
        part = bits[start : start + chunk]
        if part.size <= kept:
            for i in range(part.size):
                positions[written + i] = start + i
            written += part.size
            continue
        bound = _lower_bound(part, kept, maxima)
        count = _collect(part, bound, places, magnitudes)
        threshold = _kth_largest(magnitudes[:count], kept, bound)
        num_ties = kept - _num_above(magnitudes[:count], threshold)
        for j in range(count):
            tie = magnitudes[j] == threshold and num_ties > 0
            num_ties -= tie
            if tie or magnitudes[j] > threshold:
                positions[written] = start + places[j]
                written += 1
