"""PyTorch's own DDP, through its hook, so that it is measured like the others."""

import time

import torch.distributed as dist
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import CONFIG, Algorithm
from liecbench.algorithms.blocks import BYTES_PER_ELEMENT


@dataclass(kw_only=True, eq=False, config=CONFIG)
class DDP(Algorithm):
    """PyTorch's DistributedDataParallel all-reduce, bucketed and overlapped: what most people run."""

    def planned_payload_bytes(self, numels: list[int], rank: int, world_size: int, step: int) -> tuple[int, int]:
        """Payload bytes of an all-reduce: 2(n − 1)/n of the gradient each way."""
        each_way = _all_reduce_bytes(sum(numels) * BYTES_PER_ELEMENT, world_size)
        return each_way, each_way

    def close(self) -> None:
        """Leave the process group."""
        dist.destroy_process_group(self._group)

    def _attached(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        self._group, self._busy_until, self._step_bytes = group, 0.0, 0

    def _reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        started = time.perf_counter()
        self._step_bytes += bucket.buffer().nbytes
        self.counters.sent_messages += 1
        if bucket.is_last():
            moved = _all_reduce_bytes(self._step_bytes, self._group.size())
            self.counters.sent_bytes += moved
            self.counters.received_bytes += moved
            self._step_bytes = 0
            self.step += 1

        def finished(future: Future[Tensor]) -> Tensor:
            # Buckets may be on their way together: seconds count once.
            now = time.perf_counter()
            self.counters.communicate_seconds += now - max(started, self._busy_until)
            self._busy_until = now
            return future.value()

        return allreduce_hook(self._group, bucket).then(finished)


def _all_reduce_bytes(gradient_bytes: int, world_size: int) -> int:
    return round(2 * (world_size - 1) * gradient_bytes / world_size)
