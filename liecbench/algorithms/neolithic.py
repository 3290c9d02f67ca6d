"""NEOLITHIC: DoubleSqueeze with compression in rounds, each of which compresses the error of the previous rounds."""

from typing import Annotated, ClassVar

from annotated_types import Ge
from pydantic.dataclasses import dataclass

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.doublesqueeze import DoubleSqueeze
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.compressors.base import Compressor
from liecbench.compressors.rounds import Rounds


@dataclass(kw_only=True, eq=False, config=CONFIG)
class Neolithic(DoubleSqueeze):
    """Repeated compression, error feedback on both sides (Huang et al. 2022, arXiv 2206.03665).

    To compress v, start with a = 0 and repeat a ← a + C(v − a) ``rounds`` times. One message holds all rounds.

    Attributes:
        rounds: The number of rounds in each compression.
        accumulate: Whether a step accumulates the gradients of ``rounds`` minibatches, as in the paper. With True, the
            training loop must divide each loss by ``batches_per_step``, and run all backward passes but the last under
            DDP's ``no_sync``.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="`rounds` compressed messages each way, each of what the ones before left",
        remembers="every worker its error e_i, every server its error e",
        source="NEOLITHIC (Huang et al. 2022, arXiv 2206.03665)",
        differs=(
            "a step takes one minibatch, as in the runs of LIEC-SGD's authors, unless `accumulate` is true; the "
            "memory is in units of the gradient, as in the code of LIEC-SGD's authors, and not of the learning "
            "rate times the gradient; `rescale_memory: true` changes that"
        ),
    )

    rounds: Annotated[int, Ge(1)] = 2
    accumulate: bool = False

    @property
    def batches_per_step(self) -> int:
        """The number of minibatches whose gradients a step accumulates.

        Every minibatch but the last runs under ``no_sync``.
        """
        return self.rounds if self.accumulate else 1

    def push_compressor(self, step: int) -> Compressor:
        """Return the compressor of a worker's messages: ``rounds`` rounds of ``compressor``. ``step`` is ignored.

        The first round compresses the vector, and each further round the error that the rounds before have left.
        """
        return Rounds(self.compressor, self.rounds)
