"""The option ``ratio`` of sparse compressors: the fraction of a vector's entries that is sent."""

import math
from typing import Annotated

from annotated_types import Gt, Le

Ratio = Annotated[float, Gt(0), Le(1)]

# The bytes of one sent entry, which is a float32.
ENTRY_BYTES = 4


def num_kept(ratio: float, numel: int) -> int:
    """Return k = ⌈``ratio`` · ``numel``⌉, the number of entries that are sent, but at most ``numel``."""
    return min(numel, math.ceil(ratio * numel))
