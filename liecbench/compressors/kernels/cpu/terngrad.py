"""CPU kernel of TernGrad."""

import numpy as np

from liecbench.compressors.kernels.cpu.jit import compiled
from liecbench.compressors.kernels.cpu.rounding import round_stochastically, subtract
from liecbench.compressors.kernels.cpu.ternary import GROUP, pack_group


@compiled("void(f4[::1], f4, u8, u1[::1], f4[::1], b1, b1)")
def compress(values, scale, key, packed, residual, keep, in_place):  # type: ignore[no-untyped-def]
    """Signs drawn with probability |v| / scale, packed, and what they leave in ``residual`` where ``keep``."""
    signs = np.empty(GROUP, np.int8)
    factor = 1 / np.float64(scale) if 0 < scale < np.inf else 0.0
    for start in range(0, values.size, GROUP):
        part = values[start : start + GROUP]
        for i in range(part.size, GROUP):
            signs[i] = 0
        round_stochastically(part, factor, np.float32(1), np.uint32(start), key, signs)
        pack_group(signs, part.size, packed[start // 5 :])
        if keep and in_place:
            subtract(part, signs, scale, part)
        elif keep:
            subtract(part, signs, scale, residual[start : start + GROUP])
