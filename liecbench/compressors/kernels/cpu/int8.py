"""CPU kernels of the compressor Int8, and functions that the kernels of Int4 also call."""

import numpy as np
from numba import njit

from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.cpu.magnitude import largest_bits
from liecbench.compressors.kernels.layout import SMALLEST_SCALE

LARGEST_LEVEL = np.float32(127)
# A float32 of this size has no bits for a fraction, so adding it rounds to the nearest whole number, ties to even.
ROUNDER = np.float32(1.5 * 2**23)


@njit(inline="always")
def scale_of_group(values, largest_level):  # type: ignore[no-untyped-def]
    """Return the scale of a group of values: the largest magnitude in ``values``, divided by ``largest_level``.

    A scale between 0 and ``SMALLEST_SCALE`` is raised to ``SMALLEST_SCALE``.
    """
    largest = np.int32(largest_bits(values.view(np.int32))).view(np.float32)
    exact = np.float64(largest) / largest_level
    return np.float32(SMALLEST_SCALE if 0 < exact < SMALLEST_SCALE else exact)


@njit(inline="always")
def _write_levels(values, scale, largest_level, levels, residual, has_residual):  # type: ignore[no-untyped-def]
    divisor = scale if scale > 0 else np.float32(1)
    for i in range(values.size):
        value = values[i]
        exact = value / divisor
        exact = exact if exact < largest_level else largest_level
        exact = exact if exact > -largest_level else -largest_level
        rounded = np.float32(np.float32(exact + ROUNDER) - ROUNDER)
        levels[i] = np.int8(np.int32(rounded))
        if has_residual:
            residual[i] = value - rounded * scale


@njit(inline="always")
def write_levels(values, scale, largest_level, levels, residual, has_residual, in_place):  # type: ignore[no-untyped-def]
    """Write value / ``scale``, rounded to an integer and clipped to ±``largest_level``, to ``levels`` for each value.

    If ``has_residual``, also write value − level · ``scale``: to ``values`` itself if ``in_place``, else to
    ``residual``. Called by kernels.
    """
    if not has_residual:
        _write_levels(values, scale, largest_level, levels, values, False)
    elif in_place:
        _write_levels(values, scale, largest_level, levels, values, True)
    else:
        _write_levels(values, scale, largest_level, levels, residual, True)


@compiled("void(f4[::1], i8, f4[::1], i1[::1], f4[::1], b1, b1)")
def encode(values, group, scales, levels, residual, has_residual, in_place):  # type: ignore[no-untyped-def]
    """Quantize ``values`` to int8 levels, with one scale for each group of adjacent values.

    A level is value / scale, rounded to an integer from −127 to 127.

    Args:
        values: The float32 vector.
        group: The number of values of a group; the last group may be shorter.
        scales: Receives the scale of each group, in float32.
        levels: Receives the level of each value, in int8.
        residual: The array for the residuals: value − level · scale of each value.
        has_residual: False to write no residuals.
        in_place: True to overwrite ``values`` with the residuals, if any. ``residual`` is then not used.
    """
    for number in range(scales.size):
        start, end = number * group, min((number + 1) * group, values.size)
        part, target = values[start:end], levels[start:end]
        scale = scale_of_group(part, LARGEST_LEVEL)
        scales[number] = scale
        write_levels(part, scale, LARGEST_LEVEL, target, residual[start:end], has_residual, in_place)


@compiled("void(f4[::1], i1[::1], i8, f8, f4[::1], b1)")
def decode(scales, levels, group, weight, out, accumulate):  # type: ignore[no-untyped-def]
    """Write ``weight`` · scale · level of each element to ``out``, or add it to ``out`` if ``accumulate``.

    Each run of ``group`` adjacent elements shares one scale.
    """
    for number in range(scales.size):
        start, end = number * group, min((number + 1) * group, out.size)
        part, target = levels[start:end], out[start:end]
        scale = np.float32(np.float64(scales[number]) * weight)
        if accumulate:
            for i in range(target.size):
                target[i] += np.float32(part[i]) * scale
        else:
            for i in range(target.size):
                target[i] = np.float32(part[i]) * scale
