"""CPU kernel of the compressor TernGrad."""

import numpy as np

from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.cpu.residual import subtract_levels
from liecbench.compressors.kernels.cpu.rounding import round_stochastically
from liecbench.compressors.kernels.cpu.ternary import pack_group
from liecbench.compressors.kernels.layout import COLUMNS, GROUP


@compiled("void(f4[::1], f4, u8, u1[::1], f4[::1], b1, b1)")
def encode(values, scale, key, packed, residual, has_residual, in_place):  # type: ignore[no-untyped-def]
    """For each value v, draw sign(v) with probability |v| / ``scale``, else 0, and pack the draws into ``packed``.

    ``key`` seeds the random numbers. If ``has_residual``, also write v − draw · ``scale``: to ``values`` itself if
    ``in_place``, else to ``residual``.
    """
    signs = np.empty(GROUP, np.int8)
    factor = 1 / np.float64(scale) if 0 < scale < np.inf else 0.0
    for start in range(0, values.size, GROUP):
        part = values[start : start + GROUP]
        for i in range(part.size, GROUP):
            signs[i] = 0
        round_stochastically(part, factor, np.float32(1), np.uint32(start), key, signs)
        pack_group(signs, part.size, packed[start // COLUMNS :])
        if has_residual and in_place:
            subtract_levels(part, signs, scale, part)
        elif has_residual:
            subtract_levels(part, signs, scale, residual[start : start + GROUP])
