"""Set up a cell (one configuration with one seed) on one rank: data, model, optimizer and algorithm."""

import dataclasses
import importlib
import warnings
from collections.abc import Callable

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import Algorithm, NonFiniteError
from liecbench.config import workload
from liecbench.config.cell import Cell
from liecbench.config.factory import cpu_kernels, make_algorithm
from liecbench.tasks.base import Task
from liecbench.worker.batches import Batches
from liecbench.worker.buffers import keeps_own_buffers
from liecbench.worker.cell_link import slowest_path
from liecbench.worker.collective_errors import agree_on_data
from liecbench.worker.device import rank_device, release_memory, rng_states, set_rng_states
from liecbench.worker.lazy_modules import materialise
from liecbench.worker.optimizer_steps import OptimizerSteps
from liecbench.worker.replica import Replica, TrainingLink
from liecbench.worker.step_clock import reset_peak_memory
from liecbench.worker.step_timing import rehearse
from liecbench.worker.undone_passes import undone

_WHOLE_BUCKET_MIB = 1 << 20


def set_up(
    cell: Cell, link: TrainingLink, heartbeat: Callable[[], None] = lambda: None, *, data_sha256: str | None = None
) -> Replica:
    """Build a cell's data, model, optimizer and algorithm on this rank, ready for the first step. Collective.

    Args:
        cell: The cell.
        link: This rank's link, whose rates are not yet limited.
        heartbeat: Called repeatedly during set-up and training, to signal that this rank makes progress.
        data_sha256: Hash of the data that the cell's earlier epochs were trained on; None if there are none.

    Raises:
        DataError: If the data differ between ranks, or their hash is not ``data_sha256``.
        NonFiniteError: If a gradient is not finite in the warm-up steps that a GPU needs.
    """
    for name in cpu_kernels(cell):
        importlib.import_module(name)  # now, because a step that is timed may be the first to use the module
    device = rank_device(cell.device)
    release_memory(device)  # of the previous cell, whose hooks and optimizer keep each other alive
    workload.load(cell.task)  # load the data before seeding, so that the model always gets the same random numbers
    workload.seed(cell.seed)
    task = workload.build(cell.task)
    own_data = workload.data_sha256(cell.task) or workload.sha256(task.train, task.test)
    agree_on_data(cell.task.dataset.name, own_data, data_sha256)
    task.model.to(device)
    materialise(task, device)
    replica = attached_replica(cell, task, device, link, heartbeat)
    torch.manual_seed(int(np.random.SeedSequence([cell.seed, dist.get_rank()]).generate_state(1)[0]))
    if device.type == "cuda":
        try:
            rehearse(replica)
        except NonFiniteError:
            replica.close()
            raise
    reset_peak_memory()
    return replica


def attached_replica(
    cell: Cell,
    task: Task,
    device: torch.device,
    link: TrainingLink,
    heartbeat: Callable[[], None],
    *,
    group: dist.ProcessGroup | None = None,
) -> Replica:
    """Return a cell's replica on this rank: the model and data of ``task``, an optimizer, and the attached algorithm.

    Collective over ``group``.

    Args:
        cell: The cell.
        task: The model, which must be on ``device``, and the data.
        device: The device on which this rank computes.
        link: This rank's link.
        heartbeat: Called repeatedly, to signal that this rank makes progress.
        group: The ranks that train together; None means all ranks.
    """
    optimizer = OptimizerSteps.of(cell.task, task.model)
    algorithm = make_algorithm(cell, len(task.train))
    ddp = _wrapped(task.model, algorithm, group, broadcasts_buffers=not keeps_own_buffers(cell, algorithm))
    algorithm.pacer, algorithm.path = link.pacer, slowest_path(cell.link, cell.workers)
    replica = Replica(
        cell=cell,
        task=task,
        device=device,
        ddp=ddp,
        optimizer=optimizer,
        algorithm=algorithm,
        batches=Batches(cell, task.train, algorithm, device),
        link=link,
        heartbeat=heartbeat,
    )
    replica = dataclasses.replace(replica, changing_parameters=_finalize_buckets(replica))
    algorithm.attach(ddp, list(optimizer.optimizers))
    optimizer.clip_in_step()
    return replica


def _wrapped(
    model: nn.Module, algorithm: Algorithm, group: dist.ProcessGroup | None, *, broadcasts_buffers: bool
) -> DistributedDataParallel:
    bucket_mib: float | None
    match algorithm.bucket_bytes:
        case None:
            bucket_mib = None
        case "whole":
            bucket_mib = _WHOLE_BUCKET_MIB
        case num_bytes:
            bucket_mib = num_bytes / 2**20
    with warnings.catch_warnings():
        # From torch 2.13 on, broadcast_buffers has another name, which earlier versions lack.
        warnings.simplefilter("ignore", FutureWarning)
        return DistributedDataParallel(
            model,
            process_group=group,
            bucket_cap_mb=bucket_mib,
            gradient_as_bucket_view=True,
            broadcast_buffers=broadcasts_buffers,
        )


def _finalize_buckets(replica: Replica) -> frozenset[nn.Parameter]:
    """Run two backward passes, after which DDP's buckets are final, and then restore the model and the RNG states.

    Return the parameters that the model's own code changed during the passes. No optimizer makes a step.
    """
    states = rng_states(replica.device)
    batch = replica.batches.evaluation_batch(replica.batches.of_epoch(0)[0])
    with undone(replica.model) as changed:
        for _ in range(2):  # DDP rebuilds buckets when the second pass begins
            replica.loss(replica.ddp, batch).backward()
            replica.heartbeat()
        replica.optimizer.zero_grad()
    set_rng_states(states, replica.device)
    return frozenset(changed)
