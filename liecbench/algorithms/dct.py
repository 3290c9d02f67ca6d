"""The discrete cosine transform of a tensor, chunk by chunk."""

import functools
import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

# The elements that are transformed together: few enough for a CPU's cache, and on a GPU to save scratch memory.
_SLAB_NUMEL_ON_CPU = 2**17
_SLAB_NUMEL_ON_GPU = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkedDct:
    """The orthonormal two-dimensional DCT-II of the chunks of a matrix, and its inverse.

    A vector counts as a matrix with one column, and a tensor of more dimensions as a matrix with the first dimension
    as its rows. The matrix is cut into chunks of ``height`` × ``width`` elements.

    Attributes:
        rows: The number of rows of the matrix.
        columns: The number of columns of the matrix.
        height: The number of rows of a chunk, a divisor of ``rows``.
        width: The number of columns of a chunk, a divisor of ``columns``.
    """

    rows: int
    columns: int
    height: int
    width: int

    @classmethod
    def of(cls, shape: torch.Size, largest: int) -> Self:
        """Return the transform for tensors of ``shape``, which are seen as matrices with ``shape[0]`` rows.

        A matrix is divided into equal chunks, at most ``largest`` rows high and ``largest`` columns wide. A chunk's
        height is the largest possible divisor of the number of rows, and its width that of the number of columns.
        """
        rows = shape[0] if shape else 1
        columns = math.prod(shape[1:])
        return cls(
            rows=rows,
            columns=columns,
            height=largest_divisor(rows, largest),
            width=largest_divisor(columns, largest),
        )

    @property
    def numel(self) -> int:
        """The number of elements of the whole matrix: ``rows`` × ``columns``."""
        return self.rows * self.columns

    @property
    def chunk(self) -> int:
        """The number of elements of a chunk."""
        return self.height * self.width

    def forward(self, values: Tensor, coefficients: Tensor) -> None:
        """Write the DCT of each chunk of ``values`` to ``coefficients``.

        Args:
            values: The matrix, row by row, float32 of shape ``[numel]``.
            coefficients: Receives the coefficients, float32 of shape ``[numel]``: first those of the top left chunk,
                row by row, then those of the chunk to its right, and so on. Must not overlap ``values`` in memory.
        """
        matrices, chunks = self._views(values, coefficients)
        left, right = _basis(self.height, values.device), _basis(self.width, values.device)
        for slab, out in zip(matrices, chunks, strict=True):
            out.copy_(self._multiplied(slab, left, right.T).transpose(1, 2))

    def inverse(self, coefficients: Tensor, values: Tensor) -> None:
        """Write the inverse DCT of each chunk of ``coefficients`` to ``values``.

        Args:
            coefficients: The coefficients, float32 of shape ``[numel]``, in the order in which ``forward`` writes them.
            values: Receives the matrix, row by row, float32 of shape ``[numel]``. Must not overlap ``coefficients`` in
                memory.
        """
        matrices, chunks = self._views(values, coefficients)
        left, right = _basis(self.height, values.device), _basis(self.width, values.device)
        for slab, out in zip(chunks, matrices, strict=True):
            out.copy_(self._multiplied(slab.transpose(1, 2).contiguous(), left.T, right))

    def _views(self, values: Tensor, coefficients: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the slabs of the matrix ``values`` and, in the same order, the slabs of ``coefficients``, as views.

        The chunks form a grid with C chunks per row. A slab has the chunks of R adjacent rows of the grid. Its view of
        ``values`` has the shape [R, height, C, width], and its view of ``coefficients`` [R, C, height, width].
        """
        across = self.columns // self.width
        most = _SLAB_NUMEL_ON_GPU if values.is_cuda else _SLAB_NUMEL_ON_CPU
        rows = max(1, most // (self.height * self.columns))
        matrices = values.view(-1, self.height, across, self.width).split(rows)
        return matrices, coefficients.view(-1, across, self.height, self.width).split(rows)

    def _multiplied(self, slab: Tensor, left: Tensor, right: Tensor) -> Tensor:
        """Return the matrix product ``left`` · chunk · ``right`` for each chunk of ``slab``, in the shape of ``slab``.

        Args:
            slab: R rows of C chunks, contiguous, of shape [R, height, C, width].
            left: A matrix of shape [height, height].
            right: A matrix of shape [width, width].
        """
        if self.height > 1:
            slab = torch.matmul(left, slab.view(len(slab), self.height, -1)).view_as(slab)
        if self.width > 1:
            slab = torch.matmul(slab.view(-1, self.width), right).view_as(slab)
        return slab


def largest_divisor(number: int, largest: int) -> int:
    """Return the largest divisor of ``number`` that is at most ``largest``."""
    return next(divisor for divisor in range(min(number, largest), 0, -1) if number % divisor == 0)


@functools.cache
def _basis(size: int, device: torch.device) -> Tensor:
    """Return the matrix of the orthonormal DCT-II of ``size`` values: one row per frequency."""
    place = torch.arange(size, dtype=torch.float64)
    angles = math.pi / size * (place + 0.5) * place.view(-1, 1)
    basis = angles.cos() * math.sqrt(2 / size)
    basis[0] = math.sqrt(1 / size)
    return basis.float().to(device)
