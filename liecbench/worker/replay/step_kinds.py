"""For each step kind of a replayed method: the messages that ranks send, and the seconds that one rank computes."""

from dataclasses import dataclass

import torch

from liecbench.algorithms.comm.schedule import Schedule
from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.config.optimizer_fields import update_of
from liecbench.config.training_schedule import minibatches_per_step
from liecbench.profiles.profile import Profile
from liecbench.worker.replay.work_seconds import WorkSeconds
from liecbench.worker.step_shares import StepShare, shares_of

_DTYPES = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16", "float64")}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepKind:
    """A step kind of a method, such as its averaging steps.

    Attributes:
        schedule: The messages that the ranks send in a step of this kind.
        share: ``share.first`` is the number of the first step of this kind, and ``share.share`` is the fraction of all
            steps that are of this kind.
        work: The seconds that one rank computes in a step of this kind.
        batches: The number of minibatches per rank whose gradients a step accumulates.
    """

    schedule: Schedule
    share: StepShare
    work: WorkSeconds
    batches: int


def step_kinds(cell: Cell, profile: Profile, *, num_steps: int) -> dict[str, StepKind]:
    """Return the step kinds of a cell's method by name, such as ``averaging``.

    Args:
        cell: The cell.
        profile: The profile of the model that the cell trains.
        num_steps: The number of steps of the training. A smaller number is allowed, but a step kind that does not
            occur in the first ``num_steps`` steps may then be missing.
    """
    algorithm = make_algorithm(cell)
    algorithm.parameter_dtypes = [_DTYPES[parameter.dtype] for parameter in profile.parameters]
    shapes = [torch.Size(parameter.shape) for parameter in profile.parameters]
    shares = shares_of(algorithm, num_steps)
    names = cell.algorithm.model_dump(), cell.compressor.model_dump() if cell.compressor else None
    batches, found = minibatches_per_step(cell, algorithm), {}
    for kind, share in shares.items():
        schedule = algorithm.schedule(shapes, world_size=cell.workers, step=share.first)
        local = profile.local_seconds(*names, kind) or 0.0
        work = WorkSeconds.of(profile, schedule, batches=batches, local=local, update=update_of(cell.task))
        found[kind] = StepKind(schedule=schedule, share=share, work=work, batches=batches)
    return found
