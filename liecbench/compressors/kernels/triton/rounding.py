"""Stochastic rounding to integers with the same random numbers as on the CPU; called by kernels."""

import triton
import triton.language as tl

_TWO_TO_64 = tl.constexpr(2.0**64)
_TWO_TO_MINUS_64 = tl.constexpr(2.0**-64)


def as_int64(key: int) -> int:
    """Return the int64 with the same bits as the uint64 ``key``; kernels take signed integers only."""
    return key - 2**64 if key >= 2**63 else key


@triton.jit
def round_stochastically(values, factor, largest_level, counter, key):  # type: ignore[no-untyped-def]
    """Round each value times ``factor`` at random up or down to an integer, so that the rounding is unbiased.

    Return the integers, clipped to ±``largest_level``. ``factor`` is a float64. ``counter`` holds one uint32 per
    element, which is hashed with ``key`` to random bits. The results are the same as those of
    ``kernels/cpu/rounding.py``.
    """
    first = tl.where(factor > _TWO_TO_64, _TWO_TO_64, 1.0).to(tl.float32)
    second = tl.where(factor > _TWO_TO_64, factor * _TWO_TO_MINUS_64, factor).to(tl.float32)
    exact = tl.abs(values) * first * second
    exact = tl.where(exact < largest_level, exact, largest_level).to(tl.float32)
    level = exact.to(tl.int32)
    fraction = exact - level.to(tl.float32)
    random = _hash(counter, key).to(tl.int32, bitcast=True)
    level += (random < ((fraction - 0.5) * 4294967296.0).to(tl.int32)).to(tl.int32)
    return tl.where(values > 0, level, -level)


@triton.jit
def _hash(counter, key):  # type: ignore[no-untyped-def]
    hashed = counter + key.to(tl.uint32)
    hashed = (hashed ^ (hashed >> 16)) * 0x21F0AAAD
    hashed = (hashed ^ (hashed >> 15)) + (key.to(tl.int64) >> 32).to(tl.uint32)
    hashed = (hashed ^ (hashed >> 16)) * 0xD35A2D97
    return hashed ^ (hashed >> 15)
