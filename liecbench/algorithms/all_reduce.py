"""The base class of methods that all-reduce DDP's buckets with torch's own collectives."""

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass as plain_dataclass
from dataclasses import field
from typing import Any

import torch
import torch.distributed as dist
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import CONFIG, Algorithm, NonFiniteError
from liecbench.algorithms.comm.partition import plan_buckets
from liecbench.algorithms.comm.schedule import Schedule, ScheduledAllReduce, all_reduce_bytes
from liecbench.algorithms.comm.transport import uses_nccl


@plain_dataclass(slots=True)
class _StepTimes:
    """The times at which the buckets of one step are communicated.

    ``num_buckets`` is the number of buckets whose communication has started. ``intervals`` has one (begin, end) per
    bucket whose communication is complete, in seconds of ``time.perf_counter``. If ``is_traced`` is true, the
    timeline shows these intervals.
    """

    num_buckets: int = 0
    is_traced: bool = False
    intervals: list[tuple[float, float]] = field(default_factory=list)

    @property
    def are_complete(self) -> bool:
        return len(self.intervals) == self.num_buckets


@dataclass(kw_only=True, eq=False, config=CONFIG)
class BucketedAllReduce(Algorithm):
    """A method that starts to all-reduce each of DDP's buckets as soon as DDP hands it over.

    A subclass implements ``reduce_bucket`` and ``all_reduce_sizes``. Over Gloo on a GPU,
    ``counters.communicate_seconds`` leaves out the final copy from the host to the GPU.

    Attributes:
        block_bytes: The value of DDP's ``bucket_cap_mb``, in bytes, that ``schedule`` assumes. None means DDP's
            default: 25 MiB, and 1 MiB for the bucket that the backward pass fills first.
    """

    @abstractmethod
    def all_reduce_sizes(self, shapes: Sequence[torch.Size], dtype: torch.dtype, step: int) -> list[int]:
        """Return the sizes in bytes of the all-reduces that one bucket needs, which run one after the other.

        Args:
            shapes: The shapes of the bucket's parameters.
            dtype: The type of these parameters; each bucket has parameters of one type.
            step: The number of the step, from 0.
        """

    def schedule(self, shapes: Sequence[torch.Size], *, world_size: int, step: int) -> Schedule:
        """Return the all-reduces of step number ``step``, assuming that DDP fills its buckets up to ``block_bytes``."""
        all_reduces: list[ScheduledAllReduce] = []
        dtypes = self.parameter_dtypes or [torch.float32] * len(shapes)
        buckets = plan_buckets([s.numel() for s in shapes], self.block_bytes, dtypes)
        for bucket, indices in enumerate(buckets):
            before: tuple[int, ...] = ()
            for num_bytes in self.all_reduce_sizes([shapes[i] for i in indices], dtypes[indices[0]], step):
                all_reduces.append(ScheduledAllReduce(num_bytes=num_bytes, bucket=bucket, depends_on=before))
                before = (len(all_reduces) - 1,)
        return Schedule(world_size=world_size, blocks=tuple(map(tuple, buckets)), all_reduces=tuple(all_reduces))

    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Prepare to count and time the all-reduces."""
        self._group = group
        self._step_bytes, self._num_backwards = 0, 0
        self._watch = self._stopwatch()
        self._this_step = _StepTimes()
        self._unfinished_steps = deque[_StepTimes]()
        self._uses_nccl = uses_nccl(self.device, group)
        # With Gloo an all-reduce ends on the host, with NCCL on a CUDA stream.
        self._end_timestamp = self.clock.timestamp if self._uses_nccl else self.clock.now

    def before_step(self) -> None:
        """Increase ``step`` by the number of backward passes since the last call of ``before_step`` or ``after_step``.

        Also add the all-reduce seconds of every finished step to ``counters.communicate_seconds``. A step is finished
        when all its buckets are all-reduced.
        """
        self.step += self._num_backwards
        self._num_backwards = 0
        if self._this_step.num_buckets:
            self._unfinished_steps.append(self._this_step)
            self._this_step = _StepTimes()
        self._count_seconds()

    def after_step(self) -> None:
        """Do what ``before_step`` does, for the backward pass of a closure, which runs inside ``optimizer.step``."""
        self.before_step()

    def synchronize(self) -> None:
        """Wait for the GPU, if there is one, and complete the counts and measured times of all past steps.

        Call it between two steps.

        Raises:
            NonFiniteError: If a gradient of a past step is not finite.
        """
        super().synchronize()
        self._count_seconds()

    def _start_bucket(self) -> Any:
        """Record that the communication of a bucket of the current step starts now.

        Return the argument for ``_end_bucket``: (the ``_StepTimes`` of the step, the timestamp of the start).
        """
        times = self._this_step
        times.num_buckets, times.is_traced = times.num_buckets + 1, self.tracer.enabled
        return times, self.clock.timestamp()

    def _end_bucket(self, started: Any) -> None:
        times, start = started

        def add(begin: float, end: float) -> None:
            times.intervals.append((begin, end))
            self.exposure.add_span("communicate", begin, end)

        self.clock.record(start, self._end_timestamp(), add)

    def _count_seconds(self) -> None:
        """Add the all-reduce seconds of every finished step to ``counters.communicate_seconds``.

        A step is finished when all its buckets are all-reduced. Time in which several buckets are all-reduced counts
        once.
        """
        while self._unfinished_steps and self._unfinished_steps[0].are_complete:
            times = self._unfinished_steps.popleft()
            for begin, end in _union(times.intervals):
                self.counters.communicate_seconds += end - begin
                if times.is_traced:
                    self.tracer.add("all-reduce", "all-reduce", begin, end)

    def _count(self, reduced_bytes: int, num_messages: int, *, is_last: bool) -> None:
        """Add a bucket's messages to ``counters``. For the last bucket, also add the bytes of the backward pass.

        These are the bytes that this rank sends and receives to all-reduce all buckets of the backward pass.
        Call ``_count`` once per bucket, in the order of the buckets, and always from the same thread.

        Args:
            reduced_bytes: The total size in bytes of the tensors that are all-reduced for the bucket.
            num_messages: The number of messages to count, one per all-reduce.
            is_last: Whether this is the last bucket of the backward pass.
        """
        self._step_bytes += reduced_bytes
        self.counters.sent_messages += num_messages
        if is_last:
            self._num_backwards += 1
            moved = all_reduce_bytes(self._step_bytes, self._group.size())
            self.counters.sent_bytes += moved
            self.counters.received_bytes += moved
            self.exposure.add_messages(moved, moved)
            self._step_bytes = 0

    def _check_finite(self, reduced: Tensor, step: int, dtype: torch.dtype = torch.float32) -> None:
        """Check that an all-reduced bucket is finite. If it is not, ``optimizer.step`` raises NonFiniteError.

        All ranks raise the error in the same step, because all hold the same values. ``step`` and ``dtype``, the type
        of the all-reduced values, are for the error message.
        """
        message = f"step {step}: the mean gradient is not finite in {str(dtype).removeprefix('torch.')}"
        if reduced.is_cuda:
            self._finite_check.submit(reduced.isfinite().all(), message)
        # If the sum is finite, all values are; computing it takes one pass and no mask in memory. If the sum is not
        # finite, the values may still be, because their sum may have overflowed.
        elif not reduced.sum().isfinite() and not reduced.isfinite().all():
            self._failure = NonFiniteError(message)


def _union(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the intervals in the order of time, after merging those that overlap."""
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged
