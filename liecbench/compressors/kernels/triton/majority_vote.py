"""GPU implementations of ``Votes`` and ``Majority``, the two compressors of signSGD with majority vote.

Workers compress with ``Votes``. The server compresses with ``Majority``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import triton
import triton.language as tl
from torch import Tensor

from liecbench.compressors.codecs.scale import scale_of
from liecbench.compressors.kernels.dispatch import Operations
from liecbench.compressors.kernels.layout import GROUP
from liecbench.compressors.kernels.triton.blocks import by_blocks, launch
from liecbench.compressors.kernels.triton.magnitude import all_values_finite, mean_magnitude
from liecbench.compressors.kernels.triton.sign import SignOnGpu, pack
from liecbench.compressors.kernels.triton.ternary import (
    COLUMNS,
    NUM_WARPS,
    WIDTH,
    load_columns,
    store_bytes,
    sum_ternary,
)
from liecbench.compressors.majority_vote import LARGEST_TIE, Majority


@dataclass(frozen=True, slots=True)
class VotesOnGpu(SignOnGpu):
    """The GPU implementation of the compressor ``Votes``, whose messages have a sign per entry and the scale 1.

    If the vector is not finite, the scale is NaN.
    """

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale (1, or NaN if ``vector`` is not finite) and the signs to ``payload``.

        ``residual`` must be None.
        """
        assert residual is None, "a vote has no error that could be kept"
        mean_magnitude(vector, scale_of(payload), as_flag=True)
        pack(vector, payload, None)


@dataclass(frozen=True, slots=True)
class MajorityOnGpu(Operations):
    """The GPU implementation of the compressor ``Majority``."""

    compressor: Majority

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the scale (1, or NaN if ``vector`` is not finite) and a sign per element to ``payload``.

        ``vector`` is the mean of the workers' votes. The sign of an element is 0 at a tie, that is, if the element is 0
        up to rounding errors. ``residual`` must be None.
        """
        assert residual is None, "a vote has no error that could be kept"
        mean_magnitude(vector, scale_of(payload), as_flag=True)
        launch(_pack, GROUP, vector, payload, tie=LARGEST_TIE, num_warps=NUM_WARPS)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Set ``out`` to ``weight`` times the sum of the decoded payloads; if ``accumulate``, add to ``out`` instead.

        A payload has one scale, and a sign −1, 0 or 1 per element. An element decodes to scale · sign.
        """
        sum_ternary(payloads, out, accumulate, weight)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the message's scale is finite, as a boolean tensor of shape [].

        The scale is NaN if the mean of the votes was not finite, else 1.
        """
        return all_values_finite(scale_of(payload))


@triton.jit(do_not_specialize=["numel"])  # type: ignore[untyped-decorator]
def _pack(vector, numel, payload, tie: tl.constexpr, block_size: tl.constexpr):  # type: ignore[no-untyped-def]
    by_blocks(_pack_group, numel, block_size, (vector, payload, tie))


@triton.jit  # type: ignore[untyped-decorator]
def _pack_group(vector, payload, tie: tl.constexpr, start, length):  # type: ignore[no-untyped-def]
    byte = tl.zeros([WIDTH], tl.int32)
    columns = load_columns(vector + start, length)
    for column in tl.static_range(COLUMNS):
        value = columns[column]
        byte += 3**column * (1 + (value > tie).to(tl.int32) - (value < -tie).to(tl.int32))
    store_bytes(payload, length, byte)
