"""Functions that Triton kernels call.

``tree_sum`` adds up terms in the order of ``kernels/cpu/summation.py``. ``weighted_scale`` multiplies the scale in a
payload by a weight.
"""

import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def tree_sum(terms, halvings: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the sum of 2^``halvings`` terms. The upper half is added to the lower half until one term is left."""
    for halving in tl.static_range(halvings):
        # tl.sum chooses its own order of addition, but a sum of two terms has only one.
        terms = tl.sum(tl.reshape(terms, [2, 2 ** (halvings - 1 - halving)]), axis=0)
    return tl.sum(terms, axis=0)


@triton.jit
def weighted_scale(payload, weight):  # type: ignore[no-untyped-def]
    """Return ``weight`` times the float32 scale at the start of ``payload``, computed in float64 and rounded once."""
    scale = tl.load(payload.to(tl.pointer_type(tl.float32)))
    return (scale.to(tl.float64) * weight).to(tl.float32)
