"""Sums of one order, so that a GPU finds the same bits, for kernels to call.

The upper half of a power of 2 of terms is added to the lower half, that one's upper half to its lower, until one is
left: neighbours are added to neighbours, which vectorises. Here three halvings are one loop.
"""

from numba import njit


@njit(inline="always")
def itself(value):  # type: ignore[no-untyped-def]
    """The term that is the value."""
    return value


@njit(inline="always")
def add_eighths(values, width, term, sums):  # type: ignore[no-untyped-def]
    """``term`` of the first 8 · ``width`` of ``values``, halved three times; vectorises if ``width`` is a constant."""
    w = width
    for i in range(w):
        even = (term(values[i]) + term(values[i + 4 * w])) + (term(values[i + 2 * w]) + term(values[i + 6 * w]))
        odd = (term(values[i + w]) + term(values[i + 5 * w])) + (term(values[i + 3 * w]) + term(values[i + 7 * w]))
        sums[i] = even + odd


@njit(inline="always")
def sum_of_64(terms, room):  # type: ignore[no-untyped-def]
    """The sum of the first 64 of ``terms``, with ``room`` for 8."""
    add_eighths(terms, 8, itself, room)
    add_eighths(room, 1, itself, terms)
    return terms[0]
