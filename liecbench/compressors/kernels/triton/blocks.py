"""Launch Triton kernels in which every program handles one block of a vector."""

from collections.abc import Sequence
from typing import Any

import triton
import triton.language as tl
from torch import Tensor

# With 8 messages, one byte of each fits into a 64-bit word. A sum of more messages takes several launches.
_MESSAGES_PER_LAUNCH = 8


def launch(kernel: Any, block_size: int, vector: Tensor, *arguments: Any, **constants: Any) -> None:
    """Launch one program of ``kernel`` for every block of a vector.

    Args:
        kernel: A Triton kernel whose parameters are a vector, its length, ``arguments``, ``constants`` and
            ``block_size``.
        block_size: The number of elements of a block.
        vector: The vector, of any type.
        arguments: More arguments of the kernel.
        constants: The kernel's other ``tl.constexpr`` parameters, and Triton's launch options.
    """
    grid = (triton.cdiv(vector.numel(), block_size),)
    kernel[grid](vector, vector.numel(), *arguments, **constants, block_size=block_size, enable_fp_fusion=False)


def launch_encode(
    kernel: Any,
    block_size: int,
    vector: Tensor,
    payload: Tensor,
    residual: Tensor | None,
    *arguments: Any,
    **constants: Any,
) -> None:
    """Launch a kernel that encodes ``vector`` to ``payload`` and, unless ``residual`` is None, writes ``residual``.

    Args:
        kernel: A Triton kernel. Its first parameters are ``vector``, the length of ``vector``, ``payload``,
            ``residual`` and ``arguments``. Its ``tl.constexpr`` parameters include ``has_residual`` (False if
            ``residual`` is None) and ``block_size``.
        block_size: The number of elements of a block, which one program of the kernel handles.
        vector: The vector.
        payload: Receives the message.
        residual: Unless it is None, receives the residual. It may be ``vector`` itself.
        arguments: More arguments of the kernel.
        constants: The kernel's other ``tl.constexpr`` parameters, and Triton's launch options.
    """
    target = vector if residual is None else residual
    has_residual = residual is not None
    launch(kernel, block_size, vector, payload, target, *arguments, has_residual=has_residual, **constants)


def launch_sum(
    kernel: Any,
    block_size: int,
    payloads: Sequence[Tensor],
    out: Tensor,
    accumulate: bool,
    weight: float,
    **constants: Any,
) -> None:
    """Set ``out`` to ``weight`` times the sum of the vectors that ``payloads`` encode.

    If ``accumulate``, add the product to ``out`` instead. The kernel is launched once per 8 payloads, in their order.

    Args:
        kernel: A Triton kernel. Its first parameters are ``out``, the length of ``out``, a tuple of at most 8 payloads
            and ``weight``. Its ``tl.constexpr`` parameters include ``count`` (the number of payloads in the tuple),
            ``accumulate`` and ``block_size``.
        block_size: The number of elements of a block, which one program of the kernel handles.
        payloads: The payloads.
        out: Receives the sum.
        accumulate: Whether to add to ``out``.
        weight: The factor of the sum.
        constants: Values for the kernel's other ``tl.constexpr`` parameters, and Triton's launch options.
    """
    for first in range(0, len(payloads), _MESSAGES_PER_LAUNCH):
        part = tuple(payloads[first : first + _MESSAGES_PER_LAUNCH])
        adds = accumulate or first > 0
        launch(kernel, block_size, out, part, weight, count=len(part), accumulate=adds, **constants)


@triton.jit  # type: ignore[untyped-decorator]
def by_blocks(body: tl.constexpr, numel, block_size: tl.constexpr, arguments):  # type: ignore[no-untyped-def]
    """Call ``body(*arguments, start, length)`` for the block of a vector that this program of a kernel handles.

    ``start`` is the index of the block's first element, and ``length`` the block's number of elements. The vector has
    ``numel`` elements. ``length`` is ``block_size``, or less in the last block.
    """
    # In all blocks but the last, the length is a compile-time constant, so that Triton needs no mask for the loads.
    start = tl.program_id(0).to(tl.int64) * block_size
    if start + block_size <= numel:
        body(*arguments, start, block_size)
    else:
        body(*arguments, start, (numel - start).to(tl.int32))
