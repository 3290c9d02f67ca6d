"""DDP's gradient buckets, each of which waits until an algorithm has updated every block that overlaps the bucket.

Buckets and blocks divide the gradient at different places.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.futures import Future

from liecbench.algorithms.comm.partition import Block


@dataclass(slots=True, eq=False)
class _Bucket:
    buffer: Tensor
    future: Future[Tensor]
    missing_blocks: set[int]


class PendingBuckets:
    """DDP's buckets that are not complete. A bucket is complete when every block that it overlaps is updated.

    Args:
        blocks: The algorithm's blocks.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._block_of: dict[Tensor, Block] = {parameter: block for block in blocks for parameter in block.parameters}
        self._buckets: list[_Bucket] = []

    def add(
        self, parameters: Sequence[Tensor], gradients: Sequence[Tensor], buffer: Tensor, future: Future[Tensor]
    ) -> Iterator[Block]:
        """Add a bucket, and yield each block for which the bucket brings the last missing gradient.

        Args:
            parameters: The parameters of the bucket.
            gradients: The gradients of ``parameters``, as views into ``buffer``.
            buffer: The bucket's gradients in one vector.
            future: The future that DDP waits for. It completes with ``buffer`` when ``finish_block`` has been called
                for every block that overlaps the bucket, or when ``abandon`` is called.
        """
        blocks = {parameter: self._block_of[parameter] for parameter in parameters if parameter.numel()}
        if blocks:
            self._buckets.append(_Bucket(buffer, future, {block.index for block in blocks.values()}))
        else:  # all parameters of the bucket are empty
            future.set_result(buffer)
        for parameter, flat in zip(parameters, gradients, strict=True):
            block = blocks.get(parameter)
            if block is not None and block.add_gradient(parameter, as_stored(flat, parameter)):
                yield block

    def finish_block(self, block: int) -> None:
        """Mark block number ``block`` as updated, and complete the buckets that wait for no other block."""
        for bucket in self._buckets:
            bucket.missing_blocks.discard(block)
        self._complete(lambda bucket: not bucket.missing_blocks)

    def abandon(self) -> None:
        """After a failure, complete all buckets with their present values, so that the backward pass can end."""
        self._complete(lambda _: True)

    def _complete(self, is_done: Callable[[_Bucket], bool]) -> None:
        done = [bucket for bucket in self._buckets if is_done(bucket)]
        self._buckets = [bucket for bucket in self._buckets if bucket not in done]
        for bucket in done:
            bucket.future.set_result(bucket.buffer)


def as_stored(gradient: Tensor, parameter: Tensor) -> Tensor:
    """Return a view of ``gradient`` with the strides of ``parameter``, so that each element is at its right index.

    If the memory of ``parameter`` has gaps between elements, return ``gradient`` itself.

    Args:
        gradient: The gradient of ``parameter``, an item of ``GradBucket.gradients()``. The elements are stored in the
            memory order of ``parameter``, such as channels-last, but the strides are those of a contiguous tensor.
        parameter: The parameter.
    """
    # DDP stores a gradient in the memory order of its parameter, such as channels-last, but hands out a view that
    # ignores this order. The gradient of a parameter with gaps is stored without gaps.
    extent = 1 + sum((size - 1) * stride for size, stride in zip(parameter.shape, parameter.stride(), strict=True))
    if extent == parameter.numel():
        return gradient.as_strided(parameter.shape, parameter.stride())
    return gradient
