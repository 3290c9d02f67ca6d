"""P-SGD: the workers average their gradients in full precision, through a server."""

from typing import ClassVar, Literal

from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.algorithms.server import ServerAlgorithm
from liecbench.compressors.base import Compressor
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class PSGD(ServerAlgorithm):
    """Parallel SGD through a server, without compression. The update is the workers' mean gradient: u = mean(g_i).

    Attributes:
        per_tensor: Whether to work as the LIEC-SGD authors' code does: each parameter's gradient is a block of its own,
            and nothing is sent before the backward pass has ended. If True, ``block_bytes`` has no effect.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="the gradient, dense, to the server, and the mean back",
        remembers="nothing",
        source="the baseline of LIEC-SGD (arXiv 2402.11857)",
        differs="in nothing; the authors' own runs are `per_tensor: true`",
    )
    is_elementwise: ClassVar[bool] = True

    per_tensor: bool = False
    is_exact: ClassVar[bool] = True

    @property
    def largest_block(self) -> int | Literal["whole"]:
        """The largest size of a block in bytes, or ``whole`` if the whole gradient is one block.

        A parameter's gradient that is larger than this size is a block of its own. If ``per_tensor`` is True, the size
        is 1, so that each parameter's gradient is a block of its own. Otherwise, the size is ``block_bytes``, which may
        be ``whole``.
        """
        # A tensor larger than the size gets a block of its own.
        return 1 if self.per_tensor else self.block_bytes

    @property
    def bucket_bytes(self) -> int | Literal["whole"]:
        """The size in bytes of DDP's gradient buckets that suits this method best.

        ``whole`` means one bucket for the whole gradient. The size is ``whole`` if ``per_tensor`` is True or
        ``block_bytes`` is ``whole``. Otherwise, the size is an eighth of ``block_bytes``, but at least 1 MiB and at
        most ``block_bytes``.
        """
        return "whole" if self.per_tensor else super().bucket_bytes

    def push_compressor(self, step: int) -> Compressor:
        """Return the identity, because the method does not compress."""
        return Identity()

    def reduce(self, block: Block) -> Tensor:
        """Return u = mean(g_i), the mean of the workers' gradients."""
        return self.exchange.mean(block.gradient)
