"""signSGD with majority vote: workers send one bit per parameter and receive the majority's sign."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.algorithms.server import ServerAlgorithm
from liecbench.compressors.majority_vote import Majority, Votes


@dataclass(kw_only=True, eq=False, config=CONFIG)
class SignSGD(ServerAlgorithm):
    """signSGD with majority vote, u = sign(Σ sign(g_i)) (Bernstein et al. 2018, arXiv 1802.04434).

    u is the update and g_i is worker i's gradient. Workers send +1 for a gradient entry of ±0. An entry of u is 0 if
    equally many workers send +1 and −1, else +1 or −1. Because the update does not depend on the size of the gradient,
    the learning rate must be small. The compression error is undefined: a sign without a scale approximates no vector.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends=(
            "one bit per parameter to the server; the majority's sign back, with a code for ties if the number of "
            "workers is even"
        ),
        remembers="nothing",
        source="signSGD with majority vote (Bernstein et al. 2018, arXiv 1802.04434)",
        differs="a tie gives 0",
    )
    is_elementwise: ClassVar[bool] = True
    clipping_refusal: ClassVar[str | None] = (
        "the entries of its update are ±1 whatever the gradient's norm, and clipping would only make its steps "
        "shorter; lower the learning rate instead"
    )

    cpu_kernels: ClassVar[tuple[str, ...]] = (*Votes.cpu_kernels, *Majority.cpu_kernels)

    def reduce(self, block: Block) -> Tensor:
        """Return u = sign(mean(sign(g_i))), where g_i is worker i's gradient.

        If the number of workers is odd, there are no ties, and the server's answer takes only one bit per parameter.
        """
        mean = self.exchange.push(Votes(), block.gradient, out=block.gradient)
        majority = Votes() if self.exchange.world_size % 2 else Majority()
        return self.exchange.pull(majority, mean, out=block.gradient)
