"""The option ``ratio`` of sparse compressors: the fraction of a vector's entries that is sent."""

import functools
import math
from fractions import Fraction
from typing import Annotated

from annotated_types import Gt, Le

Ratio = Annotated[float, Gt(0), Le(1)]

# The bytes of one sent entry, which is a float32.
ENTRY_BYTES = 4


@functools.lru_cache(maxsize=1024)
def num_kept(ratio: float, numel: int) -> int:
    """Return k = ⌈``ratio`` · ``numel``⌉, the number of entries that are sent.

    The product is exact for ``ratio`` as a decimal number: 0.07 of 100 is 7, although in floats the product is above 7.
    """
    return math.ceil(Fraction(str(ratio)) * numel)
