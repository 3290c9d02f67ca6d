"""PyTorch's own DDP all-reduce, run as a communication hook so that it is measured like the other methods."""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.distributed as dist
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket
from torch.futures import Future

from liecbench.algorithms.all_reduce import BucketedAllReduce
from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.ddp_hook import divide_as_ddp
from liecbench.algorithms.method_notes import MethodNotes


@dataclass(kw_only=True, eq=False, config=CONFIG)
class AllReduce(BucketedAllReduce):
    """All-reduce of gradients with the arithmetic of plain DistributedDataParallel, which has no communication hook.

    Over Gloo on a GPU, the backward pass must run on the default stream, because Gloo's callbacks write the averaged
    gradients on this stream.

    Attributes:
        dtype: The type in which gradients are sent; None for their own type.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="the gradient, dense, by one all-reduce per bucket during the backward pass",
        remembers="nothing",
        source="PyTorch Distributed (Li et al. 2020, arXiv 2006.15704)",
        differs="in nothing: it does the arithmetic of DDP without a hook",
    )

    dtype: ClassVar[torch.dtype | None] = None
    supports_sparse: ClassVar[bool] = True
    supports_join: ClassVar[bool] = True
    is_exact: ClassVar[bool] = True

    def all_reduce_sizes(self, shapes: Sequence[torch.Size], dtype: torch.dtype, step: int) -> list[int]:
        """Return a list with one number: the bytes of the bucket's gradient as it is sent, in a single all-reduce."""
        return [sum(shape.numel() for shape in shapes) * (self.dtype or dtype).itemsize]

    def reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Start the all-reduce of a bucket, and return a future of the mean gradient.

        Unless ``dtype`` is None, the gradient is first cast to ``dtype``. In any case, the gradient is divided by the
        world size before the all-reduce.
        """
        gradient, step = bucket.buffer(), self.step
        dtype = self.dtype or gradient.dtype
        with self._watch.timed("compress_seconds", "cast"):
            message = gradient.to(dtype)
        if self.dtype is None:
            divide_as_ddp(message, self._group.size())
        else:
            # This does the same as torch's fp16_compress_hook. torch's bf16_compress_hook refuses Gloo, although Gloo
            # can all-reduce bfloat16.
            message.div_(self._group.size())
        self._count(_num_bytes(message), 1, is_last=bucket.is_last())
        started = self._start_bucket()
        work = dist.all_reduce(message, group=self._group, async_op=True)
        assert work is not None, "this rank belongs to the group"

        def finish(future: Future[list[Tensor]]) -> Tensor:
            self._end_bucket(started)
            (total,) = future.value()
            if total.is_sparse:
                self._check_finite(total.coalesce().values(), step, dtype)
                return total
            with self._watch.timed("compress_seconds", "cast"):
                gradient.copy_(total)
            self._check_finite(gradient, step, dtype)
            return gradient

        reduced: Future[Tensor] = work.get_future().then(finish)
        return reduced


@dataclass(kw_only=True, eq=False, config=CONFIG)
class AllReduceFP16(AllReduce):
    """The all-reduce in half precision, 2 bytes per parameter: the method of PyTorch's ``fp16_compress_hook``.

    Gradient values beyond ±65504 overflow, and the step raises NonFiniteError.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="the gradient in half precision, by one all-reduce per bucket",
        remembers="nothing",
        source="PyTorch's `fp16_compress_hook`",
        differs="in nothing",
    )

    dtype = torch.float16
    supports_sparse: ClassVar[bool] = False


@dataclass(kw_only=True, eq=False, config=CONFIG)
class AllReduceBF16(AllReduce):
    """The all-reduce in bfloat16, 2 bytes per parameter: the method of PyTorch's ``bf16_compress_hook``."""

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="the gradient in bfloat16, by one all-reduce per bucket",
        remembers="nothing",
        source="PyTorch's `bf16_compress_hook`",
        differs="it works with Gloo, which PyTorch's hook refuses",
    )

    dtype = torch.bfloat16
    supports_sparse: ClassVar[bool] = False


def _num_bytes(gradient: Tensor) -> int:
    """Return the bytes of a gradient; for a sparse gradient, those of its indices and values."""
    if gradient.is_sparse:
        return gradient._indices().nbytes + gradient._values().nbytes
    return gradient.nbytes
