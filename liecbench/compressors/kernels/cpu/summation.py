"""Sums in one fixed order, so that CPU and GPU compute the same bits; called by kernels.

The upper half of 2^k terms is added to the lower half, and so on until one term is left. Every halving adds two whole
arrays, which vectorises. On the CPU one loop does three halvings.
"""

from numba import njit


@njit(inline="always")
def unchanged(value):  # type: ignore[no-untyped-def]
    """Return ``value`` itself, as the ``term`` of a plain sum."""
    return value


@njit(inline="always")
def halve_three_times(values, width, term, sums):  # type: ignore[no-untyped-def]
    """Apply ``term`` to the first 8 · ``width`` values, halve them three times, and write the result to ``sums``.

    Pass a constant ``width``, so that the loop vectorises.
    """
    w = width
    for i in range(w):
        even = (term(values[i]) + term(values[i + 4 * w])) + (term(values[i + 2 * w]) + term(values[i + 6 * w]))
        odd = (term(values[i + w]) + term(values[i + 5 * w])) + (term(values[i + 3 * w]) + term(values[i + 7 * w]))
        sums[i] = even + odd


@njit(inline="always")
def sum_of_64(terms, buffer):  # type: ignore[no-untyped-def]
    """Return the sum of the first 64 of ``terms``, and overwrite ``terms``; ``buffer`` has room for 8 values."""
    halve_three_times(terms, 8, unchanged, buffer)
    halve_three_times(buffer, 1, unchanged, terms)
    return terms[0]
