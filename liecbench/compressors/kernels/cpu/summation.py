"""Sums in one fixed order, so that CPU and GPU compute the same bits; called by kernels.

To sum 2^k terms, the upper half of the terms is added to the lower half, element by element. This halving is repeated
until one term is left.
"""

from numba import njit


@njit(inline="always")
def unchanged(value):  # type: ignore[no-untyped-def]
    """Return ``value``. With this function as ``term``, ``halve_three_times`` sums the values themselves."""
    return value


@njit(inline="always")
def halve_three_times(values, width, term, sums):  # type: ignore[no-untyped-def]
    """Write ``width`` sums of 8 terms each to ``sums``: sum i adds ``term(values[i + width · j])`` over j = 0, …, 7.

    The order of addition is the one that this module describes. Pass a constant ``width``, so that the loop vectorises.
    """
    w = width
    for i in range(w):
        even = (term(values[i]) + term(values[i + 4 * w])) + (term(values[i + 2 * w]) + term(values[i + 6 * w]))
        odd = (term(values[i + w]) + term(values[i + 5 * w])) + (term(values[i + 3 * w]) + term(values[i + 7 * w]))
        sums[i] = even + odd


@njit(inline="always")
def sum_of_64(terms, buffer):  # type: ignore[no-untyped-def]
    """Return the sum of the first 64 of ``terms``. The call overwrites ``terms[0]`` and the first 8 of ``buffer``."""
    halve_three_times(terms, 8, unchanged, buffer)
    halve_three_times(buffer, 1, unchanged, terms)
    return terms[0]
