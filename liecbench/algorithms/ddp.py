"""PyTorch's own DDP all-reduce, bucketed and overlapped, through the hook so that it is measured like the others."""

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass as plain_dataclass
from dataclasses import field
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import CONFIG, Algorithm, NonFiniteError
from liecbench.algorithms.comm.transport import uses_nccl


@plain_dataclass(slots=True)
class _Travels:
    """When the buckets of a step were under way, of those that are back."""

    num_buckets: int = 0
    traced: bool = False
    intervals: list[tuple[float, float]] = field(default_factory=list)


@dataclass(kw_only=True, eq=False, config=CONFIG)
class BucketedAllReduce(Algorithm):
    """All-reduces DDP's buckets as they come, several of them under way together.

    Over Gloo on a GPU the last copy, from the host, is not in the seconds of communication.
    """

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

    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Prepare the counts of a step."""
        self._group = group
        self._step_bytes, self._num_backwards = 0, 0
        self._watch = self._stopwatch()
        self._on_its_way = _Travels()
        self._untold = deque[_Travels]()
        self._uses_nccl = uses_nccl(self.device, group)
        # Gloo ends an all-reduce on the host, NCCL on a stream.
        self._arrival = self.clock.timestamp if self._uses_nccl else self.clock.now

    def before_step(self) -> None:
        """Count the steps, and the seconds of those whose buckets are all back."""
        self.step += self._num_backwards
        self._num_backwards = 0
        self._untold.append(self._on_its_way)
        self._on_its_way = _Travels()
        self._tell_travels()

    def synchronize(self) -> None:
        """Bring counters and spans up to date between two steps; waits for a GPU. NonFiniteError as a step."""
        super().synchronize()
        self._tell_travels()

    def _depart(self) -> Any:
        """A bucket goes on its way."""
        travels = self._on_its_way
        travels.num_buckets, travels.traced = travels.num_buckets + 1, self.tracer.enabled
        return travels, self.clock.timestamp()

    def _arrived(self, departed: Any) -> None:
        """A bucket is back."""
        travels, mark = departed
        self.clock.record(mark, self._arrival(), lambda begun, ended: travels.intervals.append((begun, ended)))

    def _tell_travels(self) -> None:
        """Count the steps that are known; seconds with several buckets under way count once."""
        while self._untold and len(self._untold[0].intervals) == self._untold[0].num_buckets:
            travels = self._untold.popleft()
            for begun, ended in _merged(travels.intervals):
                self.counters.communicate_seconds += ended - begun
                if travels.traced:
                    self.tracer.add("all-reduce", "all-reduce", begun, ended)

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
        """Stop where a bucket is not finite: every rank, as all have the same values."""
        message = f"step {step}: the mean gradient is not finite in {str(dtype).removeprefix('torch.')}"
        if reduced.is_cuda:
            self._finite_check.submit(reduced.isfinite().all(), message)
        # A sum is the cheaper pass, but one of finite values may overflow.
        elif not reduced.sum().isfinite() and not reduced.isfinite().all():
            self._failure = NonFiniteError(message)


@dataclass(kw_only=True, eq=False, config=CONFIG)
class DDP(BucketedAllReduce):
    """PyTorch's DistributedDataParallel all-reduce: what most people run.

    Over Gloo on a GPU the backward pass must run on the default stream, where Gloo's callbacks write.
    """

    dtype: ClassVar[torch.dtype] = torch.float32

    def reduced_bytes(self, shapes: Sequence[torch.Size], step: int) -> int:
        """The whole gradient."""
        return sum(shape.numel() for shape in shapes) * self.dtype.itemsize

    def reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Start the all-reduce of a bucket."""
        # What torch's allreduce_hook and fp16_compress_hook do; its bf16_compress_hook refuses Gloo, which can do it.
        gradient, step = bucket.buffer(), self.step
        with self._watch.timed("compress_seconds", "cast"):
            message = gradient.to(self.dtype)
        message.div_(self._group.size())
        self._count(message.nbytes, 1, is_last=bucket.is_last())
        departed = self._depart()
        work = dist.all_reduce(message, group=self._group, async_op=True)
        assert work is not None, "this rank belongs to the group"

        def finished(future: Future[list[Tensor]]) -> Tensor:
            self._arrived(departed)
            (total,) = future.value()
            with self._watch.timed("compress_seconds", "cast"):
                gradient.copy_(total)
            self._check(gradient, step, self.dtype)
            return gradient

        reduced: Future[Tensor] = work.get_future().then(finished)
        return reduced


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


def _merged(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same time in intervals that do not touch each other."""
    merged: list[tuple[float, float]] = []
    for begun, ended in sorted(intervals):
        if merged and begun <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ended))
        else:
            merged.append((begun, ended))
    return merged


def _each_way(reduced_bytes: int, world_size: int) -> int:
    return round(2 * (world_size - 1) * reduced_bytes / world_size)
