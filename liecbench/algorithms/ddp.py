"""PyTorch's own DDP all-reduce, bucketed and overlapped, through the hook so that it is measured like the others."""

import threading
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import torch
import torch.distributed as dist
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import CONFIG, Algorithm, NonFiniteError


@dataclass(kw_only=True, eq=False, config=CONFIG)
class BucketedAllReduce(Algorithm):
    """All-reduces DDP's buckets as they come, several of them under way together."""

    @abstractmethod
    def reduced_bytes(self, shapes: Sequence[torch.Size], step: int) -> int:
        """What all all-reduces of step number ``step`` together reduce."""

    def planned_payload_bytes(
        self, shapes: Sequence[torch.Size], rank: int, world_size: int, step: int
    ) -> tuple[int, int]:
        """Payload bytes that ``rank`` sends and receives in one step: 2(n − 1)/n of what is reduced, each way."""
        each_way = _each_way(self.reduced_bytes(shapes, step), world_size)
        return each_way, each_way

    def close(self) -> None:
        """Leave the process group."""
        dist.destroy_process_group(self._group)

    def _attached(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        self._group = group
        self._step_bytes, self._num_backwards = 0, 0
        self._lock = threading.Lock()  # Gloo's threads run the callbacks
        self._num_travelling, self._travelling_since = 0, 0.0

    def _before_step(self) -> None:
        self.step += self._num_backwards
        self._num_backwards = 0

    def _depart(self) -> None:
        """A bucket goes on its way."""
        with self._lock:
            if not self._num_travelling:
                self._travelling_since = time.perf_counter()
            self._num_travelling += 1

    def _arrive(self) -> None:
        """A bucket is back; seconds in which several were under way count once."""
        with self._lock:
            self._num_travelling -= 1
            if not self._num_travelling:
                now = time.perf_counter()
                self.counters.communicate_seconds += now - self._travelling_since
                self.tracer.add("all-reduce", "all-reduce", self._travelling_since, now)

    def _count(self, reduced_bytes: int, num_messages: int, *, is_last: bool) -> None:
        """Count a bucket; for one thread to call, in the order of the buckets."""
        self._step_bytes += reduced_bytes
        self.counters.sent_messages += num_messages
        if is_last:
            self._num_backwards += 1
            moved = _each_way(self._step_bytes, self._group.size())
            self.counters.sent_bytes += moved
            self.counters.received_bytes += moved
            self._step_bytes = 0

    def _check(self, reduced: Tensor, step: int, dtype: torch.dtype = torch.float32) -> None:
        """Stop before the optimizer's step where a bucket is not finite: every rank, as all have the same values."""
        # A sum is the cheaper pass, but one of finite values may overflow.
        if not reduced.sum().isfinite() and not reduced.isfinite().all():
            name = str(dtype).removeprefix("torch.")
            self._failure = NonFiniteError(f"step {step}: the mean gradient is not finite in {name}")


@dataclass(kw_only=True, eq=False, config=CONFIG)
class DDP(BucketedAllReduce):
    """PyTorch's DistributedDataParallel all-reduce: what most people run."""

    dtype: ClassVar[torch.dtype] = torch.float32

    def reduced_bytes(self, shapes: Sequence[torch.Size], step: int) -> int:
        """The whole gradient."""
        return sum(shape.numel() for shape in shapes) * self.dtype.itemsize

    def _reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        # What torch's allreduce_hook and fp16_compress_hook do; its bf16_compress_hook refuses Gloo, which can do it.
        gradient, step = bucket.buffer(), self.step
        with self._compressing():
            message = gradient.to(self.dtype)
        message.div_(self._group.size())
        self._count(message.nbytes, 1, is_last=bucket.is_last())
        self._depart()
        work = dist.all_reduce(message, group=self._group, async_op=True)
        assert work is not None, "this rank belongs to the group"

        def finished(future: Future[list[Tensor]]) -> Tensor:
            self._arrive()
            (total,) = future.value()
            with self._compressing():
                gradient.copy_(total)
            self._check(gradient, step, self.dtype)
            return gradient

        reduced: Future[Tensor] = work.get_future().then(finished)
        return reduced

    @contextmanager
    def _compressing(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        end = time.perf_counter()
        with self._lock:
            self.counters.compress_seconds += end - start
        self.tracer.add("cast", "communication", start, end)


@dataclass(kw_only=True, eq=False, config=CONFIG)
class DDPFP16(DDP):
    """The all-reduce in half precision, 2 bytes a parameter: the method of PyTorch's ``fp16_compress_hook``.

    Gradients beyond 65504 overflow, which ends the run.
    """

    dtype = torch.float16


@dataclass(kw_only=True, eq=False, config=CONFIG)
class DDPBF16(DDP):
    """The all-reduce in bfloat16, 2 bytes a parameter: the method of PyTorch's ``bf16_compress_hook``."""

    dtype = torch.bfloat16


def _each_way(reduced_bytes: int, world_size: int) -> int:
    return round(2 * (world_size - 1) * reduced_bytes / world_size)
