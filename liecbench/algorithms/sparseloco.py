"""SparseLoCo: DiLoCo whose workers send each other the largest entries of their pseudo-gradients, in 2 bits each."""

from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.algorithms.outer_steps import OuterSteps
from liecbench.compressors.base import Compressor
from liecbench.compressors.chunked_top_k import ChunkedTopK


@dataclass(kw_only=True, eq=False, config=CONFIG)
class SparseLoCo(OuterSteps):
    """SparseLoCo (Sarfi et al. 2025, arXiv 2508.15706): every worker sends its message to all others, without a server.

    θ̄ is the outer model, common to all workers. Worker i has a local model θ_i and an error memory e_i. After
    ``sync_every`` local steps:

    - Worker i computes its pseudo-gradient Δ_i = θ̄ − θ_i.
    - Worker i compresses p_i = Δ_i + ``error_decay`` · e_i, each parameter tensor by itself, and sends C(p_i).
    - Worker i keeps the error: e_i ← p_i − C(p_i).
    - Outer step: θ̄ ← θ̄ − ``outer_lr`` · mean(C(p_i)), then θ_i ← θ̄. ``outer_momentum`` adds momentum.

    C is the compressor ``chunked_top_k``. With its defaults, a tensor of n entries takes about 112 · n/4096 + 16 bytes.

    If a gradient is not finite, all ranks raise NonFiniteError at the next outer step.

    Attributes:
        chunk: The number of entries of a chunk.
        kept: The number of entries of a chunk that are sent, those of largest magnitude.
        bits: The bits of a sent value: 2, or 32 to send it as it is.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends=(
            "every `sync_every` steps the 64 largest of every 4096 entries of each tensor of Δ_i + `error_decay` "
            "· e_i, with values of 2 bits, to every other worker"
        ),
        remembers="every worker its error e_i, and the outer model θ̄. Inner optimizer states stay local",
        source="SparseLoCo (Sarfi et al. 2025, arXiv 2508.15706)",
        differs=(
            "chunks are 4096 adjacent entries of the flat tensor; the mean magnitude of the kept entries divides "
            "the bins, not the standard deviation; a chunk that keeps all its entries sends no positions"
        ),
    )

    cpu_kernels: ClassVar[tuple[str, ...]] = ChunkedTopK.cpu_kernels
    sync_every: Annotated[int, Ge(1)] = 30
    outer_lr: Annotated[float, Gt(0)] = 1.0
    outer_momentum: Annotated[float, Ge(0), Lt(1)] = 0.0
    error_decay: Annotated[float, Ge(0), Le(1)] = 0.95
    chunk: int = 4096
    kept: int = 64
    bits: Literal[2, 32] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._compressor = ChunkedTopK(chunk=self.chunk, kept=self.kept, bits=self.bits)

    @property
    def largest_block(self) -> int:
        """The size in bytes up to which tensors share a block: 1, so that every tensor gets a block of its own."""
        # A tensor larger than the size gets a block of its own.
        return 1

    def push_compressor(self, step: int) -> Compressor:
        """Return the compressor of the pseudo-gradients."""
        return self._compressor

    def average(self, block: Block, pseudo_gradient: Tensor) -> None:
        """Replace ``pseudo_gradient`` by the mean of all workers' compressed vectors, and update the error memory.

        Δ_i is the pseudo-gradient of worker i, e_i its error memory, and C the compressor ``chunked_top_k``. Worker i
        compresses p_i = Δ_i + ``error_decay`` · e_i, or Δ_i alone if the method keeps no error memory. On all workers,
        ``pseudo_gradient`` becomes the mean of C(p_i) over the workers. e_i becomes p_i − C(p_i).
        """
        p = self.to_compress(block, pseudo_gradient)
        self.exchange.gather(self._compressor, p, out=pseudo_gradient, residual=p if self.keeps_error else None)
        if self.keeps_error:
            self.error[block].copy_(p)
