"""CSER: workers apply their own compression errors, and bring their models closer together every few steps.

A worker's update is the mean of all workers' compressed gradients, plus the worker's own compression error. Because the
errors differ, the workers' models drift apart. A worker also subtracts its compression error from an error memory.

Every few steps, each worker also adds its compressed error memory to its update, and subtracts the mean of all
workers' compressed error memories from the update.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.averaging import PeriodicAveraging
from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.compressed import ErrorFeedback
from liecbench.algorithms.memory import WorkerMemory
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class CSER(ErrorFeedback, PeriodicAveraging):
    """Error reset (Xie et al. 2020, arXiv 2007.13221): u_i = mean(C(g_i)) + g_i − C(g_i).

    u_i is worker i's update, g_i the gradient, e_i the error memory, and C the compressor. The server sends means
    uncompressed. In every step, e_i ← e_i − (g_i − C(g_i)). Every ``average_period`` steps, the models are also brought
    closer together: u_i ← u_i + C(e_i) − mean(C(e_i)), then e_i ← e_i − C(e_i).

    Under SGD without momentum and weight decay, worker i's model differs from the common model by e_i times the
    learning rate. When the learning rate changes, e_i is rescaled to keep this difference. With
    ``rescale_memory: false``, as in the authors' code, e_i is not rescaled, and the models are hardly brought together
    after a drop of the learning rate.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends=(
            "C(g_i) to the server, the mean back, dense; every `average_period` steps also C(e_i), and its mean back"
        ),
        remembers=(
            "every worker its error e_i; with plain SGD, the worker's model differs from the common model by e_i times "
            "the learning rate"
        ),
        source="CSER (Xie et al. 2020, arXiv 2007.13221)",
        differs=(
            "e_i is rescaled when the learning rate changes; the authors' code does not do that (`rescale_memory: "
            "false`)"
        ),
    )
    is_elementwise: ClassVar[bool] = True

    average_period: Annotated[int, Ge(1)] = 8
    rescale_memory: bool = True
    clipping_refusal: ClassVar[str | None] = (
        "its models would no longer differ by what its error memories say; leave its update as it is, or take liec, "
        "which can be clipped"
    )
    error = WorkerMemory()

    def incompatible_optimizer(self, name: str, options: Mapping[str, object]) -> str | None:
        """Return None for SGD. For any other optimizer, return the reason why CSER cannot use the optimizer.

        CSER needs an optimizer whose steps are linear in the update.

        Args:
            name: The lower-case name of the optimizer's class in torch, such as ``sgd``.
            options: Not used.
        """
        if name == "sgd":
            return None
        return (
            "it brings models together by averaging its errors, which are the models' differences only if steps are "
            f"linear in the update, as {name}'s are not; take sgd, or liec, which averages the models"
        )

    def step_kind(self, step: int) -> str:
        """Return ``reset`` if the workers average their compressed error memories in this step, else ``compressed``.

        A reset step sends twice the bytes of a compressed step.
        """
        return "reset" if self.averages(step) else "compressed"

    def reduce(self, block: Block) -> Tensor:
        """Return this worker's update of a block, and subtract the compression error from the error memory.

        For worker i, g_i is the gradient, e_i the error memory, and r_i = g_i − C(g_i) the error of the compressor C.
        The update is u_i = mean(C(g_i)) + r_i, with the mean over workers. The error memory becomes e_i − r_i. In a
        reset step, ``_reset`` is then applied to u_i and e_i.
        """
        residual, error = self.scratch(block.numel), self.error[block]
        mean = self.exchange.push(self.compressor, block.gradient, residual=residual, out=block.gradient)
        update = self.exchange.pull(Identity(), mean, out=block.gradient).add_(residual)
        error.sub_(residual)
        return self._reset(update, error) if self.averages(self.step) else update

    def _reset(self, update: Tensor, error: Tensor) -> Tensor:
        """Average the workers' compressed error memories, and return this worker's changed update.

        ``update`` and ``error`` are changed in place. For worker i and the compressor C, let k_i = C(``error``).
        ``error`` becomes ``error`` − k_i. ``update`` becomes ``update`` + k_i − mean(k_i), with the mean over workers.

        Args:
            update: The worker's update of a block.
            error: The worker's error memory for the block.
        """
        residual = self.scratch(error.numel()).copy_(error)
        mean = self.exchange.push(self.compressor, residual, residual=residual)
        update.add_(error).sub_(residual)
        self.exchange.pull(Identity(), mean, add_to=update, weight=-1.0)
        error.copy_(residual)
        return update
