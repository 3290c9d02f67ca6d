"""What kernels add up: a vector's terms, in the order of the CPU, and the scales of messages."""

import triton
import triton.language as tl


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
