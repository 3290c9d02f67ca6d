"""Compressed SGD: compression in both directions, without memories, to show what error feedback adds."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import CompressedAlgorithm
from liecbench.algorithms.method_notes import MethodNotes


@dataclass(kw_only=True, eq=False, config=CONFIG)
class CSGD(CompressedAlgorithm):
    """Compressed SGD without memory, u = C(mean(C(g_i))): for QSGD (arXiv 1610.02132) and TernGrad (1705.07878).

    C is the compressor, g_i is worker i's gradient, and u the update. Methods with error feedback refuse the
    compressors QSGD and TernGrad.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="C(g_i) to the server; its compressed mean back",
        remembers="nothing",
        source=(
            "QSGD (Alistarh et al. 2017, arXiv 1610.02132) and TernGrad (Wen et al. 2017, arXiv 1705.07878), as "
            "their authors ran them"
        ),
        differs="the mean is compressed again",
    )
    is_elementwise: ClassVar[bool] = True

    uses_error_feedback: ClassVar[bool] = False

    def reduce(self, block: Block) -> Tensor:
        """Return u = C(mean(C(g_i))), where C is the compressor and g_i is worker i's gradient."""
        mean = self.exchange.push(self.compressor, block.gradient, out=block.gradient)
        return self.exchange.pull(self.compressor, mean, out=block.gradient)
