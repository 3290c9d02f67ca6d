"""CPU kernels of the compressor Int8."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled

_LARGEST_LEVEL = np.float32(127)
# A float32 of this size has no bits for a fraction, so adding it rounds to the nearest whole number, ties to even.
ROUNDER = np.float32(1.5 * 2**23)


@njit(inline="always")
def _encode(values, scale, divisor, levels, residual, has_residual):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        value = values[i]
        exact = value / divisor
        exact = exact if exact < _LARGEST_LEVEL else _LARGEST_LEVEL
        exact = exact if exact > -_LARGEST_LEVEL else -_LARGEST_LEVEL
        rounded = np.float32(np.float32(exact + ROUNDER) - ROUNDER)
        levels[i] = np.int8(np.int32(rounded))
        if has_residual:
            residual[i] = value - rounded * scale


@compiled("void(f4[::1], f4, i1[::1], f4[::1], b1, b1)")
def encode(values, scale, levels, residual, has_residual, in_place):  # type: ignore[no-untyped-def]
    """Write each of ``values`` to ``levels`` as value / ``scale``, rounded to the nearest integer from −127 to 127.

    If ``has_residual``, also write value − level · ``scale``: to ``values`` itself if ``in_place``, else to
    ``residual``.
    """
    divisor = scale if scale > 0 else np.float32(1)
    if not has_residual:
        _encode(values, scale, divisor, levels, residual, False)
    elif in_place:
        _encode(values, scale, divisor, levels, values, True)
    else:
        _encode(values, scale, divisor, levels, residual, True)


@compiled("void(i1[::1], f4, f4[::1], b1)")
def decode(levels, scale, out, accumulate):  # type: ignore[no-untyped-def]
    """Write ``scale`` · level of each element to ``out``, or add it to ``out`` if ``accumulate``."""
    if accumulate:
        for i in range(out.size):
            out[i] += np.float32(levels[i]) * scale
    else:
        for i in range(out.size):
            out[i] = np.float32(levels[i]) * scale
