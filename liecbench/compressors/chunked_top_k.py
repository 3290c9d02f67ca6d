"""The compressor ChunkedTopK: keep the largest entries of each chunk, and send their positions and 2-bit values."""

from collections.abc import Callable
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Le
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.codecs import chunk_positions, codebook
from liecbench.compressors.kernels import cpu


@plain_dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The parts of a message of ``ChunkedTopK``.

    Attributes:
        num_kept: The total number of kept entries of all chunks.
        num_indexed: The number of kept entries whose positions are sent. A chunk that keeps all its entries, as a short
            last chunk may, sends no positions.
        value_bytes: The size in bytes of the first part: the kept values, or the codebook if values are sent in 2 bits.
        position_bytes: The size in bytes of the second part, the positions.
        code_bytes: The size in bytes of the last part, the 2-bit codes.
    """

    num_kept: int
    num_indexed: int
    value_bytes: int
    position_bytes: int
    code_bytes: int

    def split(self, payload: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (values, positions, codes): views of the three parts of a payload.

        - ``values`` (float32): the codebook if values are sent in 2 bits, else the kept values.
        - ``positions`` (uint8): the packed positions of the kept entries.
        - ``codes`` (uint8): the packed 2-bit codes; empty if there is no codebook.
        """
        values, positions, codes = payload.split([self.value_bytes, self.position_bytes, self.code_bytes])
        return values.view(torch.float32), positions, codes


@dataclass(frozen=True)
class ChunkedTopK(Compressor):
    """C(v) keeps the ``kept`` entries of largest magnitude of every ``chunk`` entries, with values of 2 or 32 bits.

    If ``bits`` is 32, the kept values are sent in float32. C is a δ-contraction with δ ≥ ``kept`` / ``chunk``.

    If ``bits`` is 2, the kept entries of v are divided into four groups: by sign, and by whether the magnitude is above
    the mean magnitude of all kept entries. C(v) replaces each kept entry by the mean of its group. The message holds
    the four means, called the codebook, in 16 bytes. C is a δ-contraction with δ ≥ 1/n if v has n entries.

    The position of a kept entry takes 12 bits. With the defaults, a chunk takes 112 bytes, 146 times less than its
    float32 values. Source: SparseLoCo (Sarfi et al. 2025, arXiv 2508.15706), which compares magnitudes with the
    standard deviation instead of the mean magnitude. The algorithm ``sparseloco`` sends one message, and so one
    codebook, per parameter tensor.

    Attributes:
        chunk: The number of entries of a chunk. The last chunk may be shorter.
        kept: The number of entries that a chunk keeps, at most ``chunk``. A chunk of fewer entries keeps all of them.
            Of equal magnitudes, those at lower positions are kept.
        bits: The bits of a kept value: 2 with a codebook, or 32.
    """

    cpu_kernels: ClassVar[tuple[str, ...]] = cpu.modules("chunk_positions", "chunked_largest", "codebook")
    gpu_kernels: ClassVar[str | None] = "liecbench.compressors.kernels.triton.chunked_top_k:ChunkedTopKOnGpu"

    chunk: Annotated[int, Ge(1), Le(chunk_positions.LONGEST_CHUNK)] = 4096
    kept: Annotated[int, Ge(1), Le(chunk_positions.LONGEST_CHUNK)] = 64
    bits: Literal[2, 32] = 2

    def __post_init__(self) -> None:
        if self.kept > self.chunk:
            raise ValueError(
                f"kept is {self.kept}, more than the {self.chunk} entries of a chunk; set at most {self.chunk}"
            )

    def layout(self, numel: int) -> Layout:
        """Return the sizes of the parts of a message that compresses a vector of ``numel`` elements."""
        whole, rest = divmod(numel, self.chunk)
        num_kept = whole * self.kept + min(rest, self.kept)
        num_indexed = (whole * self.kept if self.kept < self.chunk else 0) + (self.kept if rest > self.kept else 0)
        coded = self.bits == codebook.BITS
        return Layout(
            num_kept=num_kept,
            num_indexed=num_indexed,
            value_bytes=codebook.CODEBOOK_BYTES if coded else 4 * num_kept,
            position_bytes=chunk_positions.packed_bytes(num_indexed),
            code_bytes=codebook.packed_bytes(num_kept) if coded else 0,
        )

    def payload_bytes(self, numel: int) -> int:
        """Return the size in bytes of a message for ``numel`` elements.

        The message has a codebook, positions and codes if ``bits`` is 2, or float32 values and positions if ``bits`` is
        32.
        """
        layout = self.layout(numel)
        return layout.value_bytes + layout.position_bytes + layout.code_bytes

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the message with the kept entries of ``vector`` to ``payload``.

        Unless ``residual`` is None, also write ``vector`` minus the decoded message to ``residual``.
        """
        positions = torch.empty(self.layout(vector.numel()).num_kept, dtype=torch.int64)
        bits = vector.numpy().view(np.int32)
        cpu.chunked_largest.largest_of_chunks(bits, self.chunk, self.kept, positions.numpy())
        self.write(vector, positions, payload, residual, self._pack, _quantize)

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Decode a message to a vector, and write ``weight`` · this vector to ``out``.

        If ``accumulate`` is True, the result is added to ``out`` instead. The message may be on any device. The
        host does not wait for a GPU.
        """
        positions, values = self.entries(payload, out.numel())
        if not accumulate:
            out.zero_()
        _add_at(positions, values, weight, out)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether every element of the decoded message is finite, as a boolean tensor of shape [].

        The result is False if the original vector contains NaN or infinity.

        Args:
            payload: The bytes of the message.
            numel: The number of elements of the original vector.
        """
        # NaN and infinity count as the largest magnitudes, so that at least one of them is kept. If values have 2 bits,
        # all four means of the codebook are then NaN.
        values, _, _ = self.layout(numel).split(payload)
        return values.isfinite().all()

    def write(
        self,
        vector: Tensor,
        positions: Tensor,
        payload: Tensor,
        residual: Tensor | None,
        pack: Callable[[Tensor, Tensor], None],
        quantize: Callable[[Tensor, Tensor, Tensor], Tensor],
    ) -> None:
        """Write the message for ``vector`` to ``payload``.

        This function works on any device, without making the host wait.

        Args:
            vector: The vector v.
            positions: The positions of the kept entries, ascending, int64.
            payload: The buffer that receives the message.
            residual: The tensor that receives the residual v − C(v), where C is this compressor. ``residual`` may be
                ``vector``. None to compute no residual.
            pack: A function. ``pack(positions, packed)`` writes ``positions`` in packed form to the buffer ``packed``.
            quantize: A function that is called if values take 2 bits. ``quantize(values, codebook, codes)`` writes the
                codebook of ``values`` to the buffer ``codebook``, and the 2-bit codes of ``values`` to the buffer
                ``codes``. The function returns the values that a receiver decodes, and may overwrite ``values``.
        """
        layout = self.layout(vector.numel())
        values, packed_positions, codes = layout.split(payload)
        kept = vector.index_select(0, positions)
        pack(positions[: layout.num_indexed], packed_positions)
        if self.bits == codebook.BITS:
            decoded = quantize(kept, values, codes)
        else:
            values.copy_(kept)
            decoded = kept
        if residual is not None:
            if residual.data_ptr() != vector.data_ptr():
                residual.copy_(vector)
            _add_at(positions, decoded, -1.0, residual)

    def entries(self, payload: Tensor, numel: int) -> tuple[Tensor, Tensor]:
        """Return the positions (int64) and the values (float32) of a message's kept entries, on the message's device.

        Args:
            payload: The bytes of the message.
            numel: The number of elements of the vector.
        """
        layout = self.layout(numel)
        values, packed_positions, codes = layout.split(payload)
        sizes = (layout.num_indexed, layout.num_kept, self.chunk, self.kept)
        if payload.is_cuda:
            if self.bits == codebook.BITS:
                values = values.index_select(0, codebook.unpack(codes, layout.num_kept))
            return chunk_positions.unpack(packed_positions, *sizes), values
        positions = cpu.chunk_positions.unpack(packed_positions.numpy(), *sizes)
        if self.bits == codebook.BITS:
            values = torch.from_numpy(cpu.codebook.unpack(codes.numpy(), values.numpy(), layout.num_kept))
        return torch.from_numpy(positions), values

    def _pack(self, positions: Tensor, packed: Tensor) -> None:
        cpu.chunk_positions.pack(positions.numpy(), self.chunk, self.kept, packed.numpy())


def _quantize(kept: Tensor, values: Tensor, codes: Tensor) -> Tensor:
    cpu.codebook.quantize(kept.numpy(), values.numpy(), codes.numpy())
    return kept


def _add_at(positions: Tensor, values: Tensor, weight: float, out: Tensor) -> None:
    """Add ``weight`` · ``values[i]`` to ``out[positions[i]]`` for each i, on any device. All positions must differ."""
    if out.is_cuda:
        # The positions differ, so nothing must be added atomically; a GPU's atomic addition would take denormals for 0.
        out.index_copy_(0, positions, out.index_select(0, positions) + values * weight)
    else:
        cpu.chunk_positions.add_at(positions.numpy(), values.numpy(), weight, out.numpy())
