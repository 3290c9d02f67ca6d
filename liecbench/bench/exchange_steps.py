"""One rank's part of ``liecbench bench exchange``: time training steps whose backward pass costs almost nothing."""

import dataclasses
import statistics
import time
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import Algorithm
from liecbench.bench.fixed_gradient import FixedGradient, parameter_numels
from liecbench.config import registry
from liecbench.launch.plans import StepCase
from liecbench.network.link_map import LinkMap
from liecbench.worker.cell_link import CellLink, slowest_path


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """One rank's measurement of one step.

    ``exchange_seconds`` is compression plus communication. ``payload_bytes`` is the larger of the bytes that
    the rank sent and the bytes that it received.
    """

    step_seconds: float
    exchange_seconds: float
    compress_seconds: float
    payload_bytes: int


class _Replica:
    """One rank's model in DDP, its optimizer and the algorithm. The model's gradient is the same in every step."""

    def __init__(self, case: StepCase) -> None:
        model = FixedGradient(parameter_numels(case.size), seed=dist.get_rank())
        self._ddp = DistributedDataParallel(model, gradient_as_bucket_view=True)
        self._optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        # DDP rebuilds its buckets when the second pass begins. The algorithm is attached to the rebuilt buckets.
        for _ in range(2):
            self._ddp().backward()
        self.algorithm = _algorithm(case)
        self.algorithm.path = slowest_path(LinkMap.parse(case.link), dist.get_world_size())
        self.algorithm.attach(self._ddp, self._optimizer)

    def step(self) -> _Step:
        """Train one step, and return this rank's seconds and payload bytes. Collective: all ranks start together."""
        self._optimizer.zero_grad(set_to_none=False)  # gradients stay in DDP's buckets
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


def measure_exchange(case: StepCase, link: CellLink) -> dict[str, Any]:
    """Time training steps of a case over ``link``. Collective.

    Returns:
        ``"step_seconds"``, the seconds of a step; ``"exchange_seconds"``, the seconds of compression plus communication
        in a step; and ``"compress_seconds"``, the seconds of compression in a step. Each is the mean, over the timed
        steps, of the seconds on the slowest rank. ``"payload_bytes"``: the most payload bytes that any rank sent,
        or that any rank received, in one timed step.
    """
    replica = _Replica(case)
    link.shape()
    for _ in range(case.warmup_steps):
        replica.step()
    steps = [replica.step() for _ in range(case.timed_steps)]
    link.unshape()
    replica.algorithm.close()
    ranks: list[list[_Step]] = [[]] * dist.get_world_size()
    dist.all_gather_object(ranks, steps)
    same_steps = list(zip(*ranks, strict=True))
    return {
        "step_seconds": statistics.fmean(max(step.step_seconds for step in steps) for steps in same_steps),
        "exchange_seconds": statistics.fmean(max(step.exchange_seconds for step in steps) for steps in same_steps),
        "compress_seconds": statistics.fmean(max(step.compress_seconds for step in steps) for steps in same_steps),
        "payload_bytes": max(step.payload_bytes for steps in ranks for step in steps),
    }


def _algorithm(case: StepCase) -> Algorithm:
    options = dict(case.options)
    if case.compressor is not None:
        options["compressor"] = registry.load("compressor", case.compressor)()
    algorithm = registry.load("algorithm", case.algorithm)(**options)
    assert isinstance(algorithm, Algorithm), "the registry checks it"
    return algorithm
