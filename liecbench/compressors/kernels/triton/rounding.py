"""Stochastic rounding to whole levels on a GPU, for kernels to call; the same numbers as on the CPU."""

import triton
import triton.language as tl

_HUGE = tl.constexpr(2.0**64)
_TINY = tl.constexpr(2.0**-64)


def signed(key: int) -> int:
    """A key of 64 bits as kernels take it."""
    return key - 2**64 if key >= 2**63 else key


@triton.jit
def round_stochastically(values, factor, most, counter, key):  # type: ignore[no-untyped-def]
    """Whole levels of expectation v · ``factor``, a float64, as ``rounding_cpu`` rounds them; ``counter`` is uint32."""
    first = tl.where(factor > _HUGE, _HUGE, 1.0).to(tl.float32)
    second = tl.where(factor > _HUGE, factor * _TINY, factor).to(tl.float32)
    exact = tl.abs(values) * first * second
    exact = tl.where(exact < most, exact, most).to(tl.float32)
    level = exact.to(tl.int32)
    fraction = exact - level.to(tl.float32)
    drawn = _hash(counter, key).to(tl.int32, bitcast=True)
    level += (drawn < ((fraction - 0.5) * 4294967296.0).to(tl.int32)).to(tl.int32)
    return tl.where(values > 0, level, -level)


@triton.jit
def _hash(counter, key):  # type: ignore[no-untyped-def]
    hashed = counter + key.to(tl.uint32)
    hashed = (hashed ^ (hashed >> 16)) * 0x21F0AAAD
    hashed = (hashed ^ (hashed >> 15)) + (key.to(tl.int64) >> 32).to(tl.uint32)
    hashed = (hashed ^ (hashed >> 16)) * 0xD35A2D97
    return hashed ^ (hashed >> 15)
