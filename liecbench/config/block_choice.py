"""The size and the order of blocks: those that a scenario gives, else those that suit compressor and algorithm."""

from dataclasses import dataclass
from typing import Any, Literal

from liecbench.config import registry
from liecbench.config.cell import BlockOrder
from liecbench.config.choice import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockChoice:
    """The size and the order of blocks of gradient, as far as they are given.

    Attributes:
        block_bytes: The size of blocks, or of DDP's buckets, in bytes; ``whole`` for a single block. None for the size
            that the compressor prefers or, if it prefers none, the algorithm's default.
        block_order: The order in which tensors fill the blocks of algorithms that have a ``block_order``.
    """

    block_bytes: int | Literal["whole"] | None = None
    block_order: BlockOrder = "backward"

    def fields(self, algorithm: type, compressor: Choice | None) -> dict[str, Any]:
        """Return ``block_bytes`` and ``block_order`` of a method, as fields of its cells.

        ``block_bytes`` is None for DDP's default buckets.

        Args:
            algorithm: The algorithm's class.
            compressor: The method's compressor; None if it has none.
        """
        return {
            "block_bytes": self.block_bytes or _preferred_block_bytes(algorithm, compressor),
            "block_order": self.block_order if registry.takes(algorithm, "block_order") else "backward",
        }


def _preferred_block_bytes(algorithm: type, compressor: Choice | None) -> int | None:
    preferred: int | None = None
    if compressor is not None:
        preferred = registry.load("compressor", compressor.name).preferred_block_bytes
    return preferred or registry.default(algorithm, "block_bytes")
