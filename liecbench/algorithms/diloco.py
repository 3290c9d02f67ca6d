"""DiLoCo: many local steps of any optimizer, then an outer step with Nesterov momentum.

If ``fragments`` is above 1, the method is Streaming DiLoCo: the model is divided into fragments, which make their outer
steps in turn.
"""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.algorithms.outer_steps import OuterSteps
from liecbench.algorithms.server import ServerAlgorithm
from liecbench.compressors.base import Compressor
from liecbench.compressors.by_name import as_compressor
from liecbench.compressors.identity import Identity


@dataclass(kw_only=True, eq=False, config=CONFIG)
class DiLoCo(OuterSteps, ServerAlgorithm):
    """DiLoCo (Douillard et al. 2023, arXiv 2311.08105); if ``fragments`` > 1, Streaming DiLoCo (arXiv 2501.18512).

    θ_i is worker i's model, and θ̄ the outer model, which is the same on all workers. After ``sync_every`` local steps,
    worker i's pseudo-gradient is Δ_i = θ̄ − θ_i, and Δ = mean(Δ_i). The outer step is b ← μb + Δ; θ̄ ← θ̄ − η(Δ + μb);
    θ_i ← (1 − α)θ̄ + αθ_i, where η is ``outer_lr``, μ is ``outer_momentum`` and α is ``mix``.

    If there is a compressor C, worker i sends C(p_i), where p_i = Δ_i + ``error_decay`` · e_i. The server sends back
    Δ = mean(C(p_i)), uncompressed. The error memory e_i becomes p_i − C(p_i). If ``error_decay`` is 0, there is no
    error memory, and p_i = Δ_i.

    If a gradient is not finite, all ranks raise NonFiniteError at the next outer step.

    Attributes:
        compressor: The compressor C, or None for uncompressed pseudo-gradients.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends=(
            "every `sync_every` steps the pseudo-gradient Δ_i, by `compressor` if there is one, to the server; "
            "the mean back, dense. With `fragments`, each fragment in its turn; with `delay`, while later steps "
            "compute"
        ),
        remembers=(
            "the outer model θ̄ and its momentum; with a compressor and `error_decay`, every worker its error "
            "e_i. Inner optimizer states stay local"
        ),
        source=(
            "DiLoCo (Douillard et al. 2023, arXiv 2311.08105), Streaming DiLoCo (arXiv 2501.18512); torchft's "
            "`local_sgd.py`"
        ),
        differs="`sync_every` is 32 by default, for short runs, not 500",
    )

    compressor: Annotated[Compressor | None, BeforeValidator(as_compressor)] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compressor is not None and self.error_decay and not self.compressor.is_contraction:
            raise ValueError(
                f"with error_decay {self.error_decay:g} the method keeps an error memory, which only a contraction "
                f"keeps bounded, and {self.compressor} is none; write error_decay 0, or take a contraction such "
                "as sign or top_k"
            )

    @property
    def keeps_error(self) -> bool:
        """True if the method has an error memory: it has a compressor, and ``error_decay`` is not 0."""
        return super().keeps_error and self.compressor is not None

    def push_compressor(self, step: int) -> Compressor | None:
        """Return the compressor of the pseudo-gradients; None if they are not compressed."""
        return self.compressor

    def average(self, block: Block, pseudo_gradient: Tensor) -> None:
        """Replace ``pseudo_gradient`` by the mean over workers of the compressed pseudo-gradients.

        Δ_i is the pseudo-gradient of worker i, C the compressor, and e_i the worker's error memory. With p_i = Δ_i +
        ``error_decay`` · e_i, the result is mean(C(p_i)), and e_i becomes p_i − C(p_i). Without an error memory, p_i =
        Δ_i.
        """
        p = self.to_compress(block, pseudo_gradient)
        mean = self.exchange.push(
            self.compressor or Identity(), p, residual=p if self.keeps_error else None, out=pseudo_gradient
        )
        self.exchange.pull(Identity(), mean, out=pseudo_gradient)
        if self.keeps_error:
            self.error[block].copy_(p)
