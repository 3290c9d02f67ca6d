"""CPU kernels of the sign compressor; each passes over the vector once."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels import compiled

_CHUNK = 4096


@njit(fastmath={"reassoc", "nsz", "contract"}, nogil=True)
def _chunk_sum(values):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for i in range(values.size):
        total += abs(values[i])
    return total


@compiled("f4(f4[::1])")
def mean_magnitude(values):  # type: ignore[no-untyped-def]
    """mean|v|: float32 within chunks, so that it vectorises, float64 across them."""
    total = 0.0
    for start in range(0, values.size, _CHUNK):
        total += _chunk_sum(values[start : start + _CHUNK])
    return np.float32(total / values.size)


@compiled("void(f4[::1], u1[::1])")
def pack(values, bits):  # type: ignore[no-untyped-def]
    """Bit b of byte j is 1 where v[8j + b] ≥ 0; the unused bits of the last byte are 0."""
    whole = values.size // 8
    for j in range(whole):
        byte = 0
        for b in range(8):
            byte |= (values[8 * j + b] >= 0) << b
        bits[j] = byte
    if values.size % 8:
        byte = 0
        for b in range(values.size % 8):
            byte |= (values[8 * whole + b] >= 0) << b
        bits[whole] = byte


@compiled("void(f4[::1], f4, u1[::1], f4[::1])")
def pack_with_residual(values, scale, bits, residual):  # type: ignore[no-untyped-def]
    """``pack``, and v − scale · sign(v) into ``residual``, which may be ``values``."""
    whole = values.size // 8
    for j in range(whole):
        byte = 0
        for b in range(8):
            value = values[8 * j + b]
            positive = value >= 0
            byte |= positive << b
            residual[8 * j + b] = value - (scale if positive else -scale)
        bits[j] = byte
    if values.size % 8:
        byte = 0
        for b in range(values.size % 8):
            value = values[8 * whole + b]
            positive = value >= 0
            byte |= positive << b
            residual[8 * whole + b] = value - (scale if positive else -scale)
        bits[whole] = byte


@compiled("void(u1[::1], f4, f4[::1])")
def unpack(bits, scale, out):  # type: ignore[no-untyped-def]
    """±scale into ``out``."""
    for i in range(out.size):
        out[i] = scale if bits[i >> 3] >> (i & 7) & 1 else -scale


@compiled("void(u1[::1], f4, f4[::1])")
def unpack_add(bits, scale, out):  # type: ignore[no-untyped-def]
    """±scale added to ``out``."""
    for i in range(out.size):
        out[i] += scale if bits[i >> 3] >> (i & 7) & 1 else -scale
