"""The all-reduces of a replayed step: torch's collectives on vectors of the right sizes, without gradients."""

import time
from dataclasses import dataclass, field

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.schedule import Schedule, all_reduce_bytes
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.network.slowdown import Slowdown
from liecbench.worker.replay.pauses import Pauses

_BYTES_PER_ELEMENT = 4


@dataclass(slots=True, kw_only=True)
class ReplayedAllReduces:
    """One rank's part in the all-reduces of a replayed step. The reduced vectors contain zeros.

    Buckets with one all-reduce are reduced at the same time, as DistributedDataParallel does. If a bucket needs several
    all-reduces, they run one after the other, as in PyTorch's PowerSGD hook.

    Attributes:
        schedule: The messages of the step: the bucket and the bytes of each all-reduce.
        group: The process group.
        watch: Counts and times the all-reduces.
        pauses: Makes this rank sleep after the last all-reduce of a step. The sleep makes up for the processor time of
            messages, which dilation does not lengthen.
        extra_seconds: The emulated seconds of the sleep. ``pauses`` multiplies them by the dilation.
        slowdown: The dilation and the message divisor of the replay. A reduced vector has the bytes in ``schedule`` ÷
            the message divisor, rounded up to whole elements.
    """

    schedule: Schedule
    group: dist.ProcessGroup
    watch: Stopwatch
    pauses: Pauses
    extra_seconds: float = 0.0
    slowdown: Slowdown = field(default_factory=Slowdown)
    _vectors: list[torch.Tensor] = field(default_factory=list, init=False)
    _started: list[tuple[dist.Work, float]] = field(default_factory=list, init=False)
    _counted_until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._vectors = [
            torch.zeros(-(-self.slowdown.smaller(reduce.num_bytes) // _BYTES_PER_ELEMENT))
            for reduce in self.schedule.all_reduces
        ]

    def start_bucket(self, bucket: int) -> None:
        """Run the all-reduces of bucket number ``bucket`` one after the other, but do not wait for the last one.

        ``finish`` waits for the last one.
        """
        mine = [i for i, reduce in enumerate(self.schedule.all_reduces) if reduce.bucket == bucket]
        for index in mine:
            began = time.perf_counter()
            work = dist.all_reduce(self._vectors[index], group=self.group, async_op=True)
            assert work is not None, "this rank belongs to the group"
            self._started.append((work, began))
            if index != mine[-1]:
                self._finish_started()

    def finish(self) -> None:
        """Wait for the started all-reduces. Then sleep (see ``pauses``), and add bytes and messages to ``watch``."""
        self._finish_started()
        if self._vectors:
            self.pauses.pause(self.extra_seconds)
            moved = all_reduce_bytes(sum(vector.nbytes for vector in self._vectors), self.schedule.world_size)
            self.watch.counters.sent_bytes += moved
            self.watch.counters.received_bytes += moved
            self.watch.counters.sent_messages += len(self._vectors)
            self.watch.exposure.add_messages(moved, moved)

    def _finish_started(self) -> None:
        for work, began in self._started:
            work.wait()
            # Time in which several all-reduces are under way counts once.
            began, self._counted_until = max(began, self._counted_until), time.perf_counter()
            self.watch.record("communicate_seconds", "all-reduce", began, self._counted_until)
        self._started.clear()
