"""CPU kernels of the compressor ``Sign``. Each passes over the vector once."""

from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled


@njit(inline="always")
def _pack_and_subtract(values, scale, bits, residual):  # type: ignore[no-untyped-def]
    whole = values.size // 8
    for j in range(whole):
        byte = 0
        for b in range(8):
            value = values[8 * j + b]
            positive = value >= 0
            byte |= positive << b
            residual[8 * j + b] = value - (scale if positive else -scale)
        bits[j] = byte
    for i in range(8 * whole, values.size):
        residual[i] = values[i] - (scale if values[i] >= 0 else -scale)


@njit(inline="always")
def _pack_last_byte(values, bits):  # type: ignore[no-untyped-def]
    if values.size % 8:
        byte = 0
        for i in range(values.size - values.size % 8, values.size):
            byte |= (values[i] >= 0) << (i & 7)
        bits[-1] = byte


@compiled("void(f4[::1], u1[::1])")
def pack(values, bits):  # type: ignore[no-untyped-def]
    """Pack the signs of ``values``: bit b of ``bits[j]`` is 1 if ``values[8j + b]`` ≥ 0, else 0.

    The unused bits of the last byte are 0.
    """
    whole = values.size // 8
    for j in range(whole):
        byte = 0
        for b in range(8):
            byte |= (values[8 * j + b] >= 0) << b
        bits[j] = byte
    _pack_last_byte(values, bits)


@compiled("void(f4[::1], f4, u1[::1], f4[::1], b1)")
def pack_with_residual(values, scale, bits, residual, in_place):  # type: ignore[no-untyped-def]
    """Pack the signs of ``values`` into ``bits``, and write each value minus ``scale`` · sign to ``residual``.

    The sign is +1 if the value is ≥ 0, else −1. Bit b of ``bits[j]`` is 1 if the sign of ``values[8j + b]`` is +1, else
    0. If ``in_place``, write the differences to ``values`` instead of ``residual``.
    """
    _pack_last_byte(values, bits)
    # The loop is called in two ways, because LLVM vectorises an in-place loop only if it uses a single array.
    if in_place:
        _pack_and_subtract(values, scale, bits, values)
    else:
        _pack_and_subtract(values, scale, bits, residual)


@compiled("void(u1[::1], f4, f4[::1])")
def unpack(bits, scale, out):  # type: ignore[no-untyped-def]
    """Unpack signs: write ``scale`` to ``out`` for each bit that is 1, and −``scale`` for each bit that is 0."""
    whole = out.size // 8
    for j in range(whole):
        byte = bits[j]
        for b in range(8):
            out[8 * j + b] = scale if byte & (1 << b) else -scale
    for i in range(8 * whole, out.size):
        out[i] = scale if bits[-1] >> (i & 7) & 1 else -scale


@compiled("void(u1[::1], f4, f4[::1])")
def unpack_add(bits, scale, out):  # type: ignore[no-untyped-def]
    """Unpack signs: add ``scale`` to ``out`` for each bit that is 1, and −``scale`` for each bit that is 0."""
    whole = out.size // 8
    for j in range(whole):
        byte = bits[j]
        for b in range(8):
            out[8 * j + b] += scale if byte & (1 << b) else -scale
    for i in range(8 * whole, out.size):
        out[i] += scale if bits[-1] >> (i & 7) & 1 else -scale
