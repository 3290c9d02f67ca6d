"""The option that sparse compressors share: which share of a vector they keep."""

import math
from typing import Annotated

from annotated_types import Gt, Le

Ratio = Annotated[float, Gt(0), Le(1)]


def kept(ratio: float, numel: int) -> int:
    """⌈``ratio`` · ``numel``⌉."""
    return min(numel, math.ceil(ratio * numel))
