"""CPU kernels that quantize values to 2 bits, with the same results, bit for bit, as ``codecs/codebook.py``."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.cpu.magnitude import mean_magnitude

_CODES = 4
_LARGEST = np.float64(np.finfo(np.float32).max)


@njit(nogil=True)
def _mean_of_code(values, codes, code):  # type: ignore[no-untyped-def]
    """Return the mean magnitude of the values that have ``code``; 0 if there are none."""
    ones, count = np.zeros(values.size, np.float32), 0
    for i in range(values.size):
        if codes[i] == code:
            ones[i] = values[i]
            count += 1
    return min(np.float64(mean_magnitude(ones)) * values.size / max(count, 1), _LARGEST)


@compiled("void(f4[::1], f4[::1], u1[::1])")
def quantize(values, codebook, packed):  # type: ignore[no-untyped-def]
    """Quantize ``values`` in place: overwrite each value with the codebook value that a receiver decodes.

    Args:
        values: The values to quantize and overwrite, float32.
        codebook: Receives the codebook of four values: NaN if any value is not finite, 0 for an unused code.
        packed: Receives the codes, 2 bits each.
    """
    spread, codes = mean_magnitude(values), np.empty(values.size, np.uint8)
    for i in range(values.size):
        codes[i] = np.uint8(values[i] >= 0) << 1 | np.uint8(abs(values[i]) > spread)
    for code in range(_CODES):
        mean = _mean_of_code(values, codes, code)
        codebook[code] = np.float32(mean if code >= 2 else -mean) if np.isfinite(spread) else np.float32(np.nan)
    packed[:] = 0
    for i in range(values.size):
        packed[i // 4] |= codes[i] << 2 * (i % 4)
        values[i] = codebook[codes[i]]


@compiled("f4[::1](u1[::1], f4[::1], i8)")
def unpack(packed, codebook, count):  # type: ignore[no-untyped-def]
    """Return the codebook's value of each of the ``count`` codes that ``quantize`` packed."""
    values = np.empty(count, np.float32)
    for i in range(count):
        values[i] = codebook[packed[i // 4] >> 2 * (i % 4) & 3]
    return values
