"""DDP's gradient buckets on their way through an algorithm's blocks."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.futures import Future


@dataclass(slots=True, eq=False)
class _Bucket:
    buffer: Tensor
    future: Future[Tensor]
    missing_blocks: set[int]


class PendingBuckets:
    """Buckets whose parameters wait for the updates of their blocks."""

    def __init__(self) -> None:
        self._buckets: list[_Bucket] = []

    def add(self, buffer: Tensor, future: Future[Tensor], blocks: set[int]) -> None:
        """Complete ``future`` with ``buffer`` when all ``blocks``, given by their indices, are updated."""
        self._buckets.append(_Bucket(buffer, future, blocks))

    def finish_block(self, block: int) -> None:
        """Note that a block is updated, and complete the buckets that waited for it alone."""
        for bucket in self._buckets:
            bucket.missing_blocks.discard(block)
        self._complete(lambda bucket: not bucket.missing_blocks)

    def abandon(self) -> None:
        """Complete all buckets as they are, after a failure, so that the backward pass can end."""
        self._complete(lambda _: True)

    def _complete(self, is_done: Callable[[_Bucket], bool]) -> None:
        done = [bucket for bucket in self._buckets if is_done(bucket)]
        self._buckets = [bucket for bucket in self._buckets if bucket not in done]
        for bucket in done:
            bucket.future.set_result(bucket.buffer)


def as_stored(gradient: Tensor, parameter: Tensor) -> Tensor:
    """Return a bucket's gradient with the strides of its parameter.

    DDP stores a gradient in the memory order of its parameter, but hands out a view in the order of its shape.
    """
    extent = 1 + sum((size - 1) * stride for size, stride in zip(parameter.shape, parameter.stride(), strict=True))
    if extent == parameter.numel():
        return gradient.as_strided(parameter.shape, parameter.stride())
    return gradient
