"""The residual v − C(v), which CPU kernels write while they encode a vector v."""

from typing import Any

import numpy as np
from numba import njit
from torch import Tensor


def residual_arguments(vector: Tensor, residual: Tensor | None) -> tuple[np.ndarray[tuple[int], Any], bool, bool]:
    """Return the last three arguments of an encoding kernel: ``residual``, ``has_residual`` and ``in_place``.

    If the residual is the vector itself (``in_place``), kernels run a separate loop, which LLVM vectorises only if it
    uses a single array. If ``residual`` is None, the vector is passed as a placeholder.
    """
    target = vector if residual is None else residual
    return target.numpy(), residual is not None, target.data_ptr() == vector.data_ptr()


@njit(inline="always")
def subtract_levels(values, levels, scale, residual):  # type: ignore[no-untyped-def]
    """Write v − level · scale to ``residual``; called by kernels."""
    for i in range(values.size):
        residual[i] = values[i] - np.float32(levels[i]) * scale
