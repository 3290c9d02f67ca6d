"""CPU kernels of the casts to float16 and bfloat16.

The kernels compute on the bits of float32 as integers, because integer operations vectorise on every machine.
"""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled

_SIGN = np.int32(-0x80000000)
_MAGNITUDE = np.int32(0x7FFFFFFF)
# Absolute values, as the bits of a float32.
INFINITY = np.int32(0x7F800000)
LARGEST_FLOAT16 = np.int32(0x477FE000)
SMALLEST_NORMAL_FLOAT16 = np.int32(0x38800000)
LARGEST_BFLOAT16 = np.int32(0x7F7F0000)
# The exponent bias of float32 minus that of float16, shifted to the exponent's place in a float32.
BIAS_DIFFERENCE = np.int32((127 - 15) << 23)
# Below its smallest normal number, float16 has steps of 2⁻²⁴. A float32 between 0.5 and 1 has the same steps, so adding
# 0.5 rounds a value to a step of float16.
FLOAT16_STEP = np.float32(2.0**-24)
_ONE_HALF = np.float32(0.5)
ONE_HALF_BITS = np.int32(0x3F000000)


@njit(inline="always")
def _saturated(bits, largest):  # type: ignore[no-untyped-def]
    magnitude = np.int32(bits & _MAGNITUDE)
    return largest if largest < magnitude and magnitude < INFINITY else magnitude


@njit(inline="always")
def _to_float16(bits):  # type: ignore[no-untyped-def]
    magnitude = _saturated(bits, LARGEST_FLOAT16)
    odd = np.int32((magnitude >> np.int32(13)) & np.int32(1))
    normal = np.int32(np.int32(magnitude - BIAS_DIFFERENCE + np.int32(0xFFF) + odd) >> np.int32(13))
    small = np.int32(np.float32(np.int32(magnitude).view(np.float32) + _ONE_HALF).view(np.int32) - ONE_HALF_BITS)
    finite = small if magnitude < SMALLEST_NORMAL_FLOAT16 else normal
    special = np.int32(0x7C00) if magnitude == INFINITY else np.int32(0x7E00)
    return np.int32((bits & _SIGN) >> np.int32(16)) | (special if magnitude >= INFINITY else finite)


@njit(inline="always")
def _to_bfloat16(bits):  # type: ignore[no-untyped-def]
    magnitude = _saturated(bits, LARGEST_BFLOAT16)
    odd = np.int32((magnitude >> np.int32(16)) & np.int32(1))
    rounded = np.int32(np.int32(magnitude + np.int32(0x7FFF) + odd) >> np.int32(16))
    return np.int32((bits & _SIGN) >> np.int32(16)) | (np.int32(0x7FC0) if magnitude > INFINITY else rounded)


@njit(inline="always")
def _from_float16(code):  # type: ignore[no-untyped-def]
    magnitude = np.int32(code & np.int32(0x7FFF))
    shifted = np.int32(magnitude << np.int32(13))
    extra = BIAS_DIFFERENCE if magnitude >= np.int32(0x7C00) else np.int32(0)
    normal = np.int32(shifted + BIAS_DIFFERENCE + extra)
    small = np.float32(np.float32(magnitude) * FLOAT16_STEP).view(np.int32)
    bits = small if magnitude < np.int32(0x400) else normal
    return np.int32(bits | (np.int32(code << np.int32(16)) & _SIGN)).view(np.float32)


@njit(inline="always")
def _from_bfloat16(code):  # type: ignore[no-untyped-def]
    return np.int32(code << np.int32(16)).view(np.float32)


@njit(inline="always")
def _encode(bits, codes, encode_one):  # type: ignore[no-untyped-def]
    for i in range(bits.size):
        codes[i] = np.uint16(encode_one(bits[i]))


@njit(inline="always")
def _encode_and_subtract(values, bits, codes, residual, encode_one, decode_one):  # type: ignore[no-untyped-def]
    for i in range(bits.size):
        value = values[i]
        code = np.int32(encode_one(bits[i]))
        codes[i] = np.uint16(code)
        residual[i] = value - decode_one(code)


@compiled("void(f4[::1], u2[::1], b1, f4[::1], b1, b1)")
def encode(values, codes, is_float16, residual, has_residual, in_place):  # type: ignore[no-untyped-def]
    """Write ``values`` to ``codes`` as float16 if ``is_float16``, else as bfloat16.

    If ``has_residual``, also write value − decoded code: to ``values`` itself if ``in_place``, else to ``residual``.
    """
    bits = values.view(np.int32)
    if is_float16 and not has_residual:
        _encode(bits, codes, _to_float16)
    elif is_float16 and in_place:
        _encode_and_subtract(values, bits, codes, values, _to_float16, _from_float16)
    elif is_float16:
        _encode_and_subtract(values, bits, codes, residual, _to_float16, _from_float16)
    elif not has_residual:
        _encode(bits, codes, _to_bfloat16)
    elif in_place:
        _encode_and_subtract(values, bits, codes, values, _to_bfloat16, _from_bfloat16)
    else:
        _encode_and_subtract(values, bits, codes, residual, _to_bfloat16, _from_bfloat16)


@njit(inline="always")
def _write(codes, weight, out, decode_one):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] = weight * decode_one(np.int32(codes[i]))


@njit(inline="always")
def _add(codes, weight, out, decode_one):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] += weight * decode_one(np.int32(codes[i]))


@compiled("void(u2[::1], f4, f4[::1], b1, b1)")
def decode(codes, weight, out, is_float16, accumulate):  # type: ignore[no-untyped-def]
    """Write ``weight`` × the decoded ``codes`` to ``out``. If ``accumulate``, add the products to ``out`` instead.

    The codes are float16 if ``is_float16``, else bfloat16.
    """
    if is_float16 and accumulate:
        _add(codes, weight, out, _from_float16)
    elif is_float16:
        _write(codes, weight, out, _from_float16)
    elif accumulate:
        _add(codes, weight, out, _from_bfloat16)
    else:
        _write(codes, weight, out, _from_bfloat16)


@compiled("i4(u2[::1])")
def largest_code(codes):  # type: ignore[no-untyped-def]
    """Return the code of the largest magnitude in ``codes``, without a sign bit.

    The codes are the bits of float16 or bfloat16 values. Infinity and NaN have larger codes than all finite magnitudes.
    """
    largest = np.uint16(0)
    for i in range(codes.size):
        magnitude = np.uint16(codes[i] & np.uint16(0x7FFF))
        largest = magnitude if magnitude > largest else largest
    return np.int32(largest)
