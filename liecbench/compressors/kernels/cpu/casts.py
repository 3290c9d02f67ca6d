"""CPU kernels of the 16-bit casts, on the bits of float32: integer arithmetic vectorises on every machine."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled

_SIGN = np.int32(-0x80000000)
_MAGNITUDE = np.int32(0x7FFFFFFF)
INFINITY = np.int32(0x7F800000)
LARGEST_HALF = np.int32(0x477FE000)
LEAST_NORMAL_HALF = np.int32(0x38800000)
LARGEST_BRAIN = np.int32(0x7F7F0000)
BIAS = np.int32((127 - 15) << 23)
STEP = np.float32(2.0**-24)
# The last bit of a float32 from 0.5 to 1 is worth 2⁻²⁴, which is the step of float16 below its least normal number.
_HALF = np.float32(0.5)
HALF_BITS = np.int32(0x3F000000)


@njit(inline="always")
def _saturated(bits, largest):  # type: ignore[no-untyped-def]
    magnitude = np.int32(bits & _MAGNITUDE)
    return largest if largest < magnitude and magnitude < INFINITY else magnitude


@njit(inline="always")
def _to_half(bits):  # type: ignore[no-untyped-def]
    magnitude = _saturated(bits, LARGEST_HALF)
    odd = np.int32((magnitude >> np.int32(13)) & np.int32(1))
    normal = np.int32(np.int32(magnitude - BIAS + np.int32(0xFFF) + odd) >> np.int32(13))
    small = np.int32(np.float32(np.int32(magnitude).view(np.float32) + _HALF).view(np.int32) - HALF_BITS)
    finite = small if magnitude < LEAST_NORMAL_HALF else normal
    special = np.int32(0x7C00) if magnitude == INFINITY else np.int32(0x7E00)
    return np.int32((bits & _SIGN) >> np.int32(16)) | (special if magnitude >= INFINITY else finite)


@njit(inline="always")
def _to_brain(bits):  # type: ignore[no-untyped-def]
    magnitude = _saturated(bits, LARGEST_BRAIN)
    odd = np.int32((magnitude >> np.int32(16)) & np.int32(1))
    rounded = np.int32(np.int32(magnitude + np.int32(0x7FFF) + odd) >> np.int32(16))
    return np.int32((bits & _SIGN) >> np.int32(16)) | (np.int32(0x7FC0) if magnitude > INFINITY else rounded)


@njit(inline="always")
def _from_half(code):  # type: ignore[no-untyped-def]
    magnitude = np.int32(code & np.int32(0x7FFF))
    shifted = np.int32(magnitude << np.int32(13))
    normal = np.int32(shifted + BIAS + (BIAS if magnitude >= np.int32(0x7C00) else np.int32(0)))
    small = np.float32(np.float32(magnitude) * STEP).view(np.int32)
    bits = small if magnitude < np.int32(0x400) else normal
    return np.int32(bits | (np.int32(code << np.int32(16)) & _SIGN)).view(np.float32)


@njit(inline="always")
def _from_brain(code):  # type: ignore[no-untyped-def]
    return np.int32(code << np.int32(16)).view(np.float32)


@njit(inline="always")
def _encode(bits, codes, encode):  # type: ignore[no-untyped-def]
    for i in range(bits.size):
        codes[i] = np.uint16(encode(bits[i]))


@njit(inline="always")
def _encode_and_subtract(values, bits, codes, residual, encode, decode):  # type: ignore[no-untyped-def]
    for i in range(bits.size):
        value = values[i]
        code = np.int32(encode(bits[i]))
        codes[i] = np.uint16(code)
        residual[i] = value - decode(code)


@compiled("void(f4[::1], u2[::1], f4[::1], b1, b1, b1)")
def compress(values, codes, residual, half, keep, in_place):  # type: ignore[no-untyped-def]
    """float16 where ``half``, bfloat16 otherwise, and what they leave in ``residual`` where ``keep``."""
    bits = values.view(np.int32)
    if half and not keep:
        _encode(bits, codes, _to_half)
    elif half and in_place:
        _encode_and_subtract(values, bits, codes, values, _to_half, _from_half)
    elif half:
        _encode_and_subtract(values, bits, codes, residual, _to_half, _from_half)
    elif not keep:
        _encode(bits, codes, _to_brain)
    elif in_place:
        _encode_and_subtract(values, bits, codes, values, _to_brain, _from_brain)
    else:
        _encode_and_subtract(values, bits, codes, residual, _to_brain, _from_brain)


@njit(inline="always")
def _write(codes, weight, out, decode):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] = weight * decode(np.int32(codes[i]))


@njit(inline="always")
def _add(codes, weight, out, decode):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] += weight * decode(np.int32(codes[i]))


@compiled("void(u2[::1], f4, f4[::1], b1, b1)")
def decompress(codes, weight, out, half, accumulate):  # type: ignore[no-untyped-def]
    """``weight`` times what ``codes`` stand for into ``out``, or added to it."""
    if half and accumulate:
        _add(codes, weight, out, _from_half)
    elif half:
        _write(codes, weight, out, _from_half)
    elif accumulate:
        _add(codes, weight, out, _from_brain)
    else:
        _write(codes, weight, out, _from_brain)


@compiled("i4(u2[::1])")
def largest_code(codes):  # type: ignore[no-untyped-def]
    """The codes' largest magnitude, as an integer: infinity and NaN rank above all that is finite."""
    largest = np.uint16(0)
    for i in range(codes.size):
        magnitude = np.uint16(codes[i] & np.uint16(0x7FFF))
        largest = magnitude if magnitude > largest else largest
    return np.int32(largest)
