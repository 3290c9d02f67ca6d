"""Measure the compute seconds of a training step without communication, compression and pauses.

A timing session times several methods, which train the same model. In the methods' own steps, computing takes longer,
for example because processor caches are cold after a wait for the network. So the session also trains a plain copy of
the model, without any method, and measures the compute seconds there.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from liecbench.algorithms.comm.timing import Clock, clock_for
from liecbench.config import workload
from liecbench.worker.batches import Batch
from liecbench.worker.device import rng_states, set_rng_states
from liecbench.worker.global_generators import generator_states, set_generator_states
from liecbench.worker.lazy_modules import materialise
from liecbench.worker.optimizer_steps import OptimizerSteps
from liecbench.worker.replica import Replica
from liecbench.worker.session_rounds import COMPUTE_SECONDS
from liecbench.worker.work_clock import uses_cpu_time

# What changes the work of a plain step: minibatches per step, and what the optimizer computes.
WorkKey = tuple[int, bool, bool, bool, str]


def work_key(replica: Replica) -> WorkKey:
    """Return a key that is equal for replicas whose model and optimizer compute the same in a step.

    The key has the number of minibatches per step, the optimizer, and whether gradients are clipped. Compare only keys
    of one timing session, because all methods of a session train the same model.
    """
    task = replica.cell.task
    uses = bool(task.momentum), bool(task.weight_decay), task.clip_grad_norm is not None
    return replica.batches.per_step, *uses, task.optimizer.model_dump_json()


@dataclass(slots=True, kw_only=True)
class ComputeAlone:
    """A plain model that is trained only to measure the compute seconds of a step.

    The plain model is a new copy of the model that a method trains, with its own optimizer and one step's minibatches.
    The plain model is trained without DistributedDataParallel and without the method, and does not affect the method's
    own training. All ranks train the same number of steps, because a model may communicate in its forward pass, as
    SyncBatchNorm does.
    """

    replica: Replica
    model: nn.Module
    optimizer: OptimizerSteps
    minibatches: list[Batch]
    clock: Clock
    num_steps: int = 1

    @classmethod
    def create(cls, replica: Replica) -> Self:
        """Build a new, plain copy of the model of ``replica``, and choose ``num_steps``. Collective.

        ``num_steps`` is the number of steps that each call of ``step_seconds`` measures. These steps take about
        ``COMPUTE_SECONDS`` on the slowest rank. If a single step takes longer, ``num_steps`` is 1.
        """
        task, device, batches = replica.cell.task, replica.device, replica.batches
        with _restored_random_states(device):
            workload.seed(replica.cell.seed)
            plain = workload.build(task)
            plain.model.to(device)
            materialise(plain, device)
            # With a learning rate of 0 the work is the same, and training cannot diverge.
            optimizer = OptimizerSteps.of(task, plain.model, learning_rate=0.0)
            optimizer.clip_in_step()
            alone = cls(
                replica=replica,
                model=plain.model,
                optimizer=optimizer,
                minibatches=batches.minibatches(batches.of_epoch(0)[0], batches.augmentation_rng(0)),
                clock=clock_for(device),
            )
            alone._step()
            began = time.monotonic()
            alone._step()
            slowest = torch.tensor(time.monotonic() - began)
        dist.all_reduce(slowest, dist.ReduceOp.MAX)
        alone.num_steps = max(1, int(COMPUTE_SECONDS / float(slowest)))
        return alone

    def step_seconds(self) -> float:
        """Measure steps on all ranks at the same time, and return the seconds of one step. Collective.

        Returns:
            The lower quartile of each rank's step seconds, averaged over the ranks. On the CPU with one thread per
            rank, these are CPU seconds of the training thread, so that waiting for a processor does not count. On the
            CPU with several threads they are wall time, and on a GPU they are time on the GPU's clock.
        """
        dist.barrier()
        with _restored_random_states(self.replica.device):
            seconds = [self._step() for _ in range(self.num_steps)]
        own = torch.tensor(float(np.quantile(seconds, 0.25)), dtype=torch.float64)
        dist.all_reduce(own)
        return float(own) / dist.get_world_size()

    def _step(self) -> float:
        """Train a step, and return its seconds."""
        began, cpu_from = self.clock.timestamp(), time.thread_time()
        self.optimizer.zero_grad()
        for minibatch in self.minibatches:
            (self.replica.loss(self.model, minibatch) / len(self.minibatches)).backward()
        self.optimizer.step()
        cpu_seconds = time.thread_time() - cpu_from
        seconds: list[float] = []
        self.clock.record(began, self.clock.timestamp(), lambda begin, end: seconds.append(end - begin))
        self.clock.synchronize()
        self.replica.heartbeat()
        return cpu_seconds if uses_cpu_time(self.replica.device) else seconds[0]


@contextmanager
def _restored_random_states(device: torch.device) -> Iterator[None]:
    states, others = rng_states(device), generator_states()
    yield
    set_rng_states(states, device)
    set_generator_states(others)


def of_each_work(replicas: Iterable[Replica]) -> dict[WorkKey, ComputeAlone]:
    """Create one ``ComputeAlone`` for each distinct ``work_key`` of the replicas, and return all by key. Collective.

    Replicas with equal keys compute the same in a step, so that one ``ComputeAlone`` measures for all of them.
    """
    firsts: dict[WorkKey, Replica] = {}
    for replica in replicas:
        firsts.setdefault(work_key(replica), replica)
    return {key: ComputeAlone.create(replica) for key, replica in firsts.items()}
