"""Find the exact k largest magnitudes of every chunk of a vector.

A float32 vector is passed as its bits, int32. Without their sign bits, these integers are in the order of the
magnitudes, and NaN and infinity are the largest.
"""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled

_MAGNITUDE = np.int32(0x7FFFFFFF)
# More parts per kept entry give a closer bound, and take longer to search.
_PARTS_PER_KEPT = 4
_FEWEST_PARTS = 256
# The flags of this many elements are read as one integer.
_WORD = 8
# The maxima that may reach the bound beyond those that are needed. Fewer take more bisections.
_SURPLUS = 8


@njit(nogil=True)
def _part_maxima(bits, maxima):  # type: ignore[no-untyped-def]
    """Split a vector into ``maxima.size`` parts, and write the largest magnitude of each part to ``maxima``.

    Element i of ``bits`` is in part i % ``maxima.size``. Elements beyond the last multiple of ``maxima.size`` are
    ignored.
    """
    num_parts = maxima.size
    for j in range(num_parts):
        maxima[j] = bits[j] & _MAGNITUDE
    for row in range(1, bits.size // num_parts):
        elements = bits[row * num_parts : (row + 1) * num_parts]
        for j in range(num_parts):
            maxima[j] = max(maxima[j], np.int32(elements[j] & _MAGNITUDE))


@njit(nogil=True)
def _num_from(magnitudes, bound):  # type: ignore[no-untyped-def]
    count = np.int32(0)
    for i in range(magnitudes.size):
        count += np.int32(magnitudes[i] >= bound)
    return count


@njit(nogil=True)
def _bound(magnitudes, k, surplus):  # type: ignore[no-untyped-def]
    """Return a threshold that at least ``k`` of ``magnitudes`` reach.

    At most ``k + surplus`` magnitudes reach the threshold, unless several magnitudes are equal to the ``k``-th largest.
    """
    smallest, largest = magnitudes[0], magnitudes[0]
    for i in range(magnitudes.size):
        smallest, largest = min(smallest, magnitudes[i]), max(largest, magnitudes[i])
    low, high, reached = np.int64(smallest), np.int64(largest) + 1, np.int64(magnitudes.size)
    while high - low > 1 and reached > k + surplus:
        middle = (low + high) // 2
        count = np.int64(_num_from(magnitudes, np.int32(middle)))
        if count >= k:
            low, reached = middle, count
        else:
            high = middle
    return np.int32(low)


@njit(nogil=True)
def _nonzero_words(words, found):  # type: ignore[no-untyped-def]
    # Write every number, and let the next one overwrite it unless its word has a flag. A branch would often be
    # mispredicted.
    count = 0
    for number in range(words.size):
        found[count] = number
        count += words[number] != 0
    return count


@njit(nogil=True)
def _collect(bits, bound, flags, found, places, magnitudes):  # type: ignore[no-untyped-def]
    """Find the elements whose magnitude is at least ``bound``, and return their number.

    The indices of these elements are written to ``places``, ascending, and their magnitudes to ``magnitudes``. ``bits``
    has the elements, as float32 bits with sign. Magnitudes and ``bound`` are bits without sign. ``flags`` and ``found``
    are scratch memory.
    """
    for i in range(bits.size):
        flags[i] = np.uint8(np.int32(bits[i] & _MAGNITUDE) >= bound)
    flags[bits.size :] = 0
    count = 0
    for number in found[: _nonzero_words(flags.view(np.uint64), found)]:
        for i in range(number * _WORD, min((number + 1) * _WORD, bits.size)):
            places[count] = i  # overwritten as in _nonzero_words
            magnitudes[count] = bits[i] & _MAGNITUDE
            count += flags[i]
    return count


@compiled("void(i4[::1], i8, i8, i8[::1])")
def largest_of_chunks(bits, chunk, kept, positions):  # type: ignore[no-untyped-def]
    """Find the largest magnitudes in each chunk of a vector, and write their positions to ``positions``, ascending.

    ``bits`` is the vector as float32 bits, ``chunk`` the number of elements per chunk, and ``kept`` the number of
    positions per chunk. Positions count from the start of the vector. Of equal magnitudes, those at lower positions are
    preferred. The last chunk may be shorter. If a chunk has at most ``kept`` elements, all positions of the chunk are
    written.
    """
    num_words = (chunk + _WORD - 1) // _WORD
    flags, found = np.empty(num_words * _WORD, np.uint8), np.empty(num_words, np.int64)
    places, magnitudes, maxima = np.empty(chunk, np.int32), np.empty(chunk, np.int32), np.empty(chunk, np.int32)
    # A chunk stays in the cache while it is searched. The k-th largest of the maxima of disjoint parts of a chunk is a
    # lower bound of the chunk's k-th largest magnitude. Few elements reach it; a bisection finds the k largest of them.
    num_parts = max(_PARTS_PER_KEPT * kept, _FEWEST_PARTS)
    written = 0
    for start in range(0, bits.size, chunk):
        part = bits[start : start + chunk]
        if part.size <= kept:
            for i in range(part.size):
                positions[written + i] = start + i
            written += part.size
            continue
        part_maxima = maxima[: min(num_parts, part.size)]
        _part_maxima(part, part_maxima)
        count = _collect(part, _bound(part_maxima, kept, _SURPLUS), flags, found, places, magnitudes)
        candidates = magnitudes[:count]
        smallest = _bound(candidates, kept, 0)
        num_ties = kept - _num_from(candidates, smallest + 1)
        for j in range(count):
            tie = candidates[j] == smallest and num_ties > 0
            num_ties -= tie
            if tie or candidates[j] > smallest:
                positions[written] = start + places[j]
                written += 1
