"""CPU kernels of the 8-bit cast."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled

_MOST = np.float32(127)
# Adding it leaves no room for a fraction: what remains is rounded to the nearest whole number, ties to even.
_WHOLE = np.float32(1.5 * 2**23)


@njit(inline="always")
def _encode(values, scale, divisor, codes, residual, keep):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        value = values[i]
        exact = value / divisor
        exact = exact if exact < _MOST else _MOST
        exact = exact if exact > -_MOST else -_MOST
        rounded = np.float32(np.float32(exact + _WHOLE) - _WHOLE)
        codes[i] = np.int8(np.int32(rounded))
        if keep:
            residual[i] = value - rounded * scale


@compiled("void(f4[::1], f4, i1[::1], f4[::1], b1, b1)")
def compress(values, scale, codes, residual, keep, in_place):  # type: ignore[no-untyped-def]
    """v / ``scale`` to the nearest of −127 to 127, and what it leaves in ``residual`` where ``keep``."""
    divisor = scale if scale > 0 else np.float32(1)
    if not keep:
        _encode(values, scale, divisor, codes, residual, False)
    elif in_place:
        _encode(values, scale, divisor, codes, values, True)
    else:
        _encode(values, scale, divisor, codes, residual, True)


@compiled("void(i1[::1], f4, f4[::1], b1)")
def decompress(codes, scale, out, accumulate):  # type: ignore[no-untyped-def]
    """``scale`` · code into ``out``, or added to it."""
    if accumulate:
        for i in range(out.size):
            out[i] += np.float32(codes[i]) * scale
    else:
        for i in range(out.size):
            out[i] = np.float32(codes[i]) * scale
