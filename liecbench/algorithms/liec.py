"""LIEC-SGD: messages to the server and from the server are compressed, and only the server has an error memory.

A worker adds the error of compressing its gradient to its own update in the same step. The server stores the error of
compressing the mean, and adds this error to the mean of the next step.
"""

from typing import Annotated, ClassVar

from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.averaging import PeriodicAveraging
from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import ErrorFeedback
from liecbench.algorithms.memory import ServerMemory
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.compressors.base import Compressor
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class LIEC(ErrorFeedback, PeriodicAveraging):
    """Local immediate error compensation (arXiv 2402.11857, algorithm 1): u_i = C(mean(C(g_i)) + e) + g_i − C(g_i).

    C is the compressor, g_i worker i's gradient, u_i worker i's update, and e the server's error memory. A step
    replaces e by the error that C makes on mean(C(g_i)) + e. Every ``average_period`` steps, an averaging step
    sends everything in full precision: u_i = mean(g_i) + e, e becomes 0, and the models are averaged after the
    optimizer's step.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends=(
            "C(g_i) to the server, its compressed mean back; every `average_period` steps instead the gradient "
            "and the model, dense, both ways"
        ),
        remembers="every server its error e; a worker applies its own error at once, so that models differ",
        source="LIEC-SGD (arXiv 2402.11857), algorithm 1",
        differs="models are averaged just after the optimizer step, and momentum buffers stay local",
    )
    is_elementwise: ClassVar[bool] = True

    average_period: Annotated[int, Ge(1)] = 32
    server_error = ServerMemory()

    def push_compressor(self, step: int) -> Compressor:
        """Return the identity if step number ``step`` is an averaging step, else ``compressor``."""
        return Identity() if self.averages(step) else self.compressor

    def reduce(self, block: Block) -> Tensor:
        """Return worker i's update u_i of a block, and replace the server's error memory e.

        Let g_i be worker i's gradient, and C the compressor (in averaging steps, the identity). The worker sends
        c_i = C(g_i), and keeps r_i = g_i − c_i. The server computes v = mean(c_i) + e, sends q = C(v), and replaces e
        by v − q. The update is u_i = q + r_i.
        """
        g, e = block.gradient, self.server_error[block]
        if self.averages(self.step):
            return self.exchange.mean(g, add=e)  # u = mean(g_i) + e;  e ← 0
        mean = self.exchange.push(self.compressor, g, residual=g)  # mean(C(g_i));  g ← r_i
        return self.exchange.pull(self.compressor, mean, error=e, add_to=g)  # e ← v − q;  u_i = q + r_i

    def after_step(self) -> None:
        """Average the models if, since the last call, the step count has reached a multiple of ``average_period``."""
        if self.averaging_is_due():
            self.average_models()
