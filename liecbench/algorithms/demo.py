"""DeMo: workers send the largest cosine coefficients of their momenta, and step by the sign of the mean."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, ClassVar, Final

import torch
from annotated_types import Ge, Gt, Le
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.dct import ChunkedDct
from liecbench.algorithms.memory import WorkerMemory
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.algorithms.optimizers import learning_rates, not_plain_sgd
from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.chunked_top_k import ChunkedTopK

_MOST_COUNTED_IN_A_BYTE: Final = 255


@plain_dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Those parameters of one block that have DCT chunks of the same size.

    One message has the largest coefficients of every chunk of the part.

    Attributes:
        compressor: Selects the coefficients of each chunk to send.
        start: The position of the part's first coefficient among the block's coefficients.
        stop: The position after the part's last coefficient.
        transforms: One tuple (place in the block, DCT, place in the part) per parameter. The DCT turns the block's
            elements at the first place into the part's coefficients at the second place.
    """

    compressor: ChunkedTopK
    start: int
    stop: int
    transforms: tuple[tuple[slice, ChunkedDct, slice], ...]


@dataclass(kw_only=True, eq=False, config=CONFIG)
class DeMo(BlockAlgorithm):
    """Decoupled momentum (Peng et al. 2024, arXiv 2411.19870): send the largest DCT coefficients of the momentum.

    Worker i adds its gradient g_i to its momentum δ_i: δ_i ← β·δ_i + η·g_i, where η is the learning rate. The worker
    sends q_i = C(DCT(δ_i)) to every other worker, without a server, and subtracts what it sent: δ_i ← δ_i − IDCT(q_i).
    DCT is the discrete cosine transform of each chunk of a parameter. C keeps the largest coefficients of each chunk.
    The update is u = sign(IDCT(mean(q_i))), where each coefficient is averaged over the workers that sent it.

    The optimizer must be SGD without momentum. SGD adds its weight decay to u: the decay is decoupled, as in AdamW.

    A tensor of more than two dimensions counts as a matrix with the first dimension as its rows. A matrix is cut into
    chunks of equal size. The height of a chunk is the largest divisor of the matrix's height that is at most ``chunk``,
    and likewise for the width.

    Attributes:
        decay: The factor β.
        kept: The number of coefficients that are sent per chunk. A chunk with fewer coefficients sends all of them.
        chunk: The largest height and width of a chunk.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="the 32 largest DCT coefficients of every chunk of its memory, with positions, to every other worker",
        remembers="every worker its momentum δ_i, without the coefficients that it has sent",
        source="DeMo (Peng et al. 2024, arXiv 2411.19870), bloc97/DeMo",
        differs=(
            "a coefficient's mean is over the workers that sent it, as in the reference code; tensors of more "
            "than two dimensions are viewed as matrices"
        ),
    )

    decay: Annotated[float, Gt(0), Le(1)] = 0.999
    kept: Annotated[int, Ge(1), Le(64 * 64)] = 32
    chunk: Annotated[int, Ge(1), Le(64)] = 64
    cpu_kernels: ClassVar[tuple[str, ...]] = ChunkedTopK.cpu_kernels
    clipping_refusal: ClassVar[str | None] = (
        "the entries of its update are ±1 whatever the gradient's norm, and clipping would only make its steps "
        "shorter; lower the learning rate instead"
    )
    error = WorkerMemory()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._measured: Sequence[_Part] = ()

    def incompatible_optimizer(self, name: str, options: Mapping[str, object]) -> str | None:
        """Return the reason why DeMo cannot use the optimizer; None for SGD without momentum, which it can use."""
        return not_plain_sgd(name, options, own_momentum=f"decay: {self.decay}")

    def push_compressor(self, step: int) -> Compressor:
        """Return the compressor for chunks of the largest size, which is ``chunk`` × ``chunk`` coefficients.

        Smaller chunks are compressed by other compressors, one per size. ``step`` is ignored.
        """
        return _compressor(self.chunk**2, self.kept)

    def compressor_input(self, block: Block) -> Tensor:
        """Return the vector that this worker compresses: the DCT of its new momentum β·δ_i + η·g_i, in scratch memory.

        δ_i is the old momentum, g_i the gradient, β the decay and η the learning rate.
        """
        self._measured = self._parts(block)
        return self._coefficients(block, self.scratch(block.numel))

    def keep_residual(self, compressor: Compressor, vector: Tensor) -> None:
        """Replace ``vector`` by ``vector`` − C(``vector``), where C keeps the largest coefficients of each chunk.

        Args:
            compressor: Ignored, because every size of chunks has its own compressor.
            vector: The result of the latest call of ``compressor_input``.
        """
        for part in self._measured:
            piece = vector[part.start : part.stop]
            part.compressor.compress(piece, residual=piece)

    def reduce(self, block: Block) -> Tensor:
        """Compute δ_i ← β·δ_i + η·g_i; q_i = C(DCT(δ_i)); δ_i ← δ_i − IDCT(q_i). Return u = sign(IDCT(mean(q_i))).

        g_i is worker i's gradient, δ_i its momentum, β the decay and η the learning rate. C keeps the largest
        coefficients of each chunk. A coefficient is averaged over the workers that sent it.
        """
        scratch, parts = self.scratch(2 * block.numel), self._parts(block)
        left, mean = self._coefficients(block, scratch[: block.numel]), scratch[block.numel :]
        for part in parts:
            own = left[part.start : part.stop]
            self.exchange.gather(
                part.compressor,
                own,
                residual=own,
                out=mean[part.start : part.stop],
                combine=_MeanOfSenders(part.compressor),
            )
        for part in parts:
            for place, transform, of_part in part.transforms:
                transform.inverse(left[part.start : part.stop][of_part], self.error[block][place])
                transform.inverse(mean[part.start : part.stop][of_part], block.gradient[place])
        return torch.sign(block.gradient, out=block.gradient)

    def _coefficients(self, block: Block, out: Tensor) -> Tensor:
        """Write the DCT of the new momentum β·δ_i + η·g_i to ``out``, and return ``out``.

        The symbols are explained in ``reduce``. The parts of the block follow each other in ``out``, one ``_Part`` per
        size of chunks. The block's gradient is overwritten.
        """
        grown = block.gradient
        rates = learning_rates(self._optimizers, block.parameters)
        for (start, stop), rate in zip(block.extents(), rates, strict=True):
            grown[start:stop].mul_(rate)
        grown.add_(self.error[block], alpha=self.decay)
        for part in self._parts(block):
            for place, transform, of_part in part.transforms:
                transform.forward(grown[place], out[part.start : part.stop][of_part])
        return out

    def _parts(self, block: Block) -> Sequence[_Part]:
        return _parts_of(tuple(parameter.shape for parameter in block.parameters), self.chunk, self.kept)


def _compressor(chunk: int, kept: int) -> ChunkedTopK:
    return ChunkedTopK(chunk=chunk, kept=min(kept, chunk), bits=32)


@functools.lru_cache(maxsize=1024)
def _parts_of(shapes: tuple[torch.Size, ...], longest_side: int, kept: int) -> tuple[_Part, ...]:
    """Group a block's parameters by the size of their chunks, and return one part per size, largest chunks first.

    Args:
        shapes: The shapes of the block's parameters, in order.
        longest_side: The largest height and width of a chunk, in elements.
        kept: The number of coefficients to send per chunk. A chunk with fewer coefficients sends all of them.
    """
    transforms = [ChunkedDct.of(shape, longest_side) for shape in shapes]
    stops = itertools.accumulate(transform.numel for transform in transforms)
    pairs = [
        (transform, slice(stop - transform.numel, stop)) for transform, stop in zip(transforms, stops, strict=True)
    ]
    parts, start = list[_Part](), 0
    pairs.sort(key=lambda pair: -pair[0].chunk)
    for chunk, group in itertools.groupby(pairs, key=lambda pair: pair[0].chunk):
        found, length = list[tuple[slice, ChunkedDct, slice]](), 0
        for transform, place in group:
            found.append((place, transform, slice(length, length + transform.numel)))
            length += transform.numel
        compressor = _compressor(chunk, kept)
        parts.append(_Part(compressor=compressor, start=start, stop=start + length, transforms=tuple(found)))
        start += length
    return tuple(parts)


@plain_dataclass(frozen=True, slots=True)
class _MeanOfSenders:
    """Computes for each entry the mean over the workers that sent it; an entry that nobody sent is 0.

    Messages are added one after the other, so that all ranks get the same bits.
    """

    compressor: ChunkedTopK

    def __call__(self, messages: Sequence[Message], out: Tensor) -> None:
        in_a_byte = len(messages) <= _MOST_COUNTED_IN_A_BYTE
        counts = torch.zeros(out.numel(), dtype=torch.uint8 if in_a_byte else torch.int16, device=out.device)
        entries = [self.compressor.entries(message.payload, out.numel()) for message in messages]
        for positions, _ in entries:
            counts.index_add_(0, positions, torch.ones_like(positions, dtype=counts.dtype))
        out.zero_()
        for positions, values in entries:
            out.index_add_(0, positions, values / counts[positions])
