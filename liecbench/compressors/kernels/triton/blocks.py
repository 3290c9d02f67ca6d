"""How kernels that have a block of a vector a program are launched, and how they tell whole blocks from the last."""

from collections.abc import Sequence
from typing import Any

import triton
import triton.language as tl
from torch import Tensor

# As many messages as a launch takes, so that a byte of each fits a word; with more, their sum takes more passes.
_AT_ONCE = 8


def launch(kernel: Any, size: int, vector: Tensor, *arguments: Any, **constants: Any) -> None:
    """A program of ``kernel`` for every ``size`` elements of ``vector``, which it takes first, with its length."""
    grid = (triton.cdiv(vector.numel(), size),)
    kernel[grid](vector, vector.numel(), *arguments, **constants, size=size, enable_fp_fusion=False)


def compress(
    kernel: Any, size: int, vector: Tensor, payload: Tensor, residual: Tensor | None, *arguments: Any, **constants: Any
) -> None:
    """``launch`` a kernel that fills ``payload``, and ``residual`` where there is one, which may be the vector."""
    left = vector if residual is None else residual
    launch(kernel, size, vector, payload, left, *arguments, keep=residual is not None, **constants)


def sum_messages(
    kernel: Any, size: int, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float, **constants: Any
) -> None:
    """``launch`` a kernel on ``out`` that writes or adds ``weight`` times what the ``payloads`` stand for, in order."""
    for first in range(0, len(payloads), _AT_ONCE):
        part = tuple(payloads[first : first + _AT_ONCE])
        launch(kernel, size, out, part, weight, count=len(part), accumulate=accumulate or first > 0, **constants)


@triton.jit  # type: ignore[untyped-decorator]
def by_blocks(body: tl.constexpr, numel, size: tl.constexpr, arguments):  # type: ignore[no-untyped-def]
    """Call ``body`` with the ``arguments``, where this program's block starts, and its length; for kernels to call.

    A whole block's length is known: with another, masks would split loads of four values into single ones.
    """
    start = tl.program_id(0).to(tl.int64) * size
    if start + size <= numel:
        body(*arguments, start, size)
    else:
        body(*arguments, start, (numel - start).to(tl.int32))
