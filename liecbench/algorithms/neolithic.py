"""NEOLITHIC: DoubleSqueeze whose every compression is repeated on what is left."""

from typing import Annotated

from annotated_types import Ge
from pydantic.dataclasses import dataclass

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.doublesqueeze import DoubleSqueeze
from liecbench.compressors.base import Compressor
from liecbench.compressors.rounds import Rounds


@dataclass(kw_only=True, eq=False, config=CONFIG)
class Neolithic(DoubleSqueeze):
    """Repeated compression, error feedback on both sides (Huang et al. 2022, arXiv 2206.03665).

    C becomes a ← a + C(v − a), ``rounds`` times from a = 0; all rounds are sent in one message.

    Attributes:
        rounds: The number of compressions.
        accumulate: A step accumulates the gradients of ``rounds`` minibatches, as the paper's does. A training loop of
            your own then divides each loss by ``batches_per_step`` and runs all backward passes but the last under
            ``no_sync``.
    """

    rounds: Annotated[int, Ge(1)] = 2
    accumulate: bool = False

    @property
    def batches_per_step(self) -> int:
        """Minibatches whose gradients a step accumulates, all but the last under ``no_sync``."""
        return self.rounds if self.accumulate else 1

    def push_compressor(self, step: int) -> Compressor:
        """Return C repeated ``rounds`` times."""
        return Rounds(self.compressor, self.rounds)
