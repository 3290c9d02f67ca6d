"""Helpers of CPU kernels that write the residual v − C(v) while they encode a vector v."""

from typing import Any

import numpy as np
from numba import njit
from torch import Tensor


def residual_arguments(vector: Tensor, residual: Tensor | None) -> tuple[np.ndarray[tuple[int], Any], bool, bool]:
    """Return the last three arguments of a kernel that encodes ``vector``: (array, ``has_residual``, ``in_place``).

    The array is a view of ``residual``, to which the kernel writes v − C(v) for v = ``vector``. ``has_residual`` is
    False if ``residual`` is None; the kernel then ignores the array and ``in_place``. ``in_place`` is True if
    ``residual`` and ``vector`` share their memory; the kernel then overwrites ``vector``.
    """
    # Kernels have a separate loop for in_place, because LLVM vectorises an in-place loop only if it uses one array.
    target = vector if residual is None else residual
    return target.numpy(), residual is not None, target.data_ptr() == vector.data_ptr()


@njit(inline="always")
def subtract_levels(values, levels, scale, residual):  # type: ignore[no-untyped-def]
    """Write value − level · ``scale`` of each element to ``residual``; called by kernels."""
    for i in range(values.size):
        residual[i] = values[i] - np.float32(levels[i]) * scale
