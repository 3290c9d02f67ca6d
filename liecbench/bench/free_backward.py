"""Training steps whose backward is nearly free, on one rank of the exchange benchmark."""

import dataclasses
import time
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import Algorithm
from liecbench.bench.fixed_gradient import FixedGradient, parameter_numels
from liecbench.config import registry
from liecbench.launch.messages import StepCase
from liecbench.worker.cell_link import CellLink


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """One step on one rank."""

    step_seconds: float
    exchange_seconds: float
    compress_seconds: float
    payload_bytes: int


class _Trainee:
    """A model with an algorithm attached, its buckets final."""

    def __init__(self, case: StepCase) -> None:
        model = FixedGradient(parameter_numels(case.size), seed=dist.get_rank())
        self._ddp = DistributedDataParallel(model, bucket_cap_mb=25, gradient_as_bucket_view=True)
        self._optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for _ in range(2):  # buckets are rebuilt when the second pass begins
            self._ddp().backward()
        self.algorithm = _algorithm(case)
        self.algorithm.attach(self._ddp, self._optimizer)

    def step(self) -> _Step:
        """Train one step, begun by all ranks at once."""
        self._optimizer.zero_grad(set_to_none=False)  # the gradients are then added where DDP's buckets have them
        dist.barrier()
        self.algorithm.synchronize()
        before, start = dataclasses.replace(self.algorithm.counters), time.perf_counter()
        self._ddp().backward()
        self._optimizer.step()
        end, after = time.perf_counter(), self.algorithm.counters
        self.algorithm.synchronize()
        compress_seconds = after.compress_seconds - before.compress_seconds
        return _Step(
            step_seconds=end - start,
            exchange_seconds=after.communicate_seconds - before.communicate_seconds + compress_seconds,
            compress_seconds=compress_seconds,
            payload_bytes=max(after.sent_bytes - before.sent_bytes, after.received_bytes - before.received_bytes),
        )


def measure(case: StepCase, link: CellLink) -> dict[str, Any]:
    """Seconds of every timed step on its slowest rank, and the bytes of the busiest direction of the busiest rank."""
    trainee = _Trainee(case)
    link.shape()
    for _ in range(case.warmup_steps):
        trainee.step()
    mine = [trainee.step() for _ in range(case.timed_steps)]
    link.unshape()
    trainee.algorithm.close()
    everyone: list[list[_Step]] = [[]] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    return {
        "step_seconds": [max(step.step_seconds for step in ranks) for ranks in zip(*everyone, strict=True)],
        "exchange_seconds": [max(step.exchange_seconds for step in ranks) for ranks in zip(*everyone, strict=True)],
        "compress_seconds": [max(step.compress_seconds for step in ranks) for ranks in zip(*everyone, strict=True)],
        "payload_bytes": max(step.payload_bytes for steps in everyone for step in steps),
    }


def _algorithm(case: StepCase) -> Algorithm:
    parts = dict(case.options)
    if case.compressor is not None:
        parts["compressor"] = registry.load("compressor", case.compressor)()
    algorithm = registry.load("algorithm", case.algorithm)(**parts)
    assert isinstance(algorithm, Algorithm), "the catalog checked it"
    return algorithm
