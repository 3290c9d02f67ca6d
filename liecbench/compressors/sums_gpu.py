"""Sums of one order: of a vector's terms as on the CPU, and of messages as they come."""

from collections.abc import Iterator, Sequence

import triton
import triton.language as tl
from torch import Tensor

# As many messages as a launch takes; with more, their sum takes more passes.
_AT_ONCE = 8


def passes(payloads: Sequence[Tensor], accumulate: bool) -> Iterator[tuple[tuple[Tensor, ...], bool]]:
    """What each launch adds up, and whether to what stands there already."""
    for first in range(0, len(payloads), _AT_ONCE):
        yield tuple(payloads[first : first + _AT_ONCE]), accumulate or first > 0


@triton.jit  # type: ignore[untyped-decorator]
def tree_sum(terms, halvings: tl.constexpr):  # type: ignore[no-untyped-def]
    """Σ of 2^``halvings`` terms: the upper half is added to the lower half, and so on; for kernels to call."""
    for halving in tl.static_range(halvings):
        # A sum of two has no order.
        terms = tl.sum(tl.reshape(terms, [2, 2 ** (halvings - 1 - halving)]), axis=0)
    return tl.sum(terms, axis=0)


@triton.jit
def weighted_scale(payload, weight):  # type: ignore[no-untyped-def]
    """The float32 that a message begins with times ``weight``, rounded once; for kernels to call."""
    scale = tl.load(payload.to(tl.pointer_type(tl.float32)))
    return (scale.to(tl.float64) * weight).to(tl.float32)
