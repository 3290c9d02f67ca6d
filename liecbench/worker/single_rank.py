"""Create a process group that contains only the calling rank, for example to measure a profile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.own_group import exists

# Groups are used again instead of destroyed, because the name that torch would give the next group might be taken.
_kept: Final[dict[str, dist.ProcessGroup]] = {}


@contextmanager
def group_of_one(device: torch.device) -> Iterator[dist.ProcessGroup]:
    """Yield a process group with this rank alone. Not collective.

    In a launch, the other ranks need not take part. Outside a launch, the group is the default group of this process,
    and is destroyed after the ``with`` body.

    Args:
        device: The device of the tensors that the group is used for.
    """
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    if dist.is_initialized():
        group = _kept.get(backend)
        if group is None or not exists(group):
            group = _kept[backend] = _new_group(backend)
        yield group
        return
    dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    try:
        assert dist.group.WORLD is not None
        yield dist.group.WORLD
    finally:
        dist.destroy_process_group()


def _new_group(backend: str) -> dist.ProcessGroup:
    group = dist.new_group([dist.get_rank()], backend=backend, use_local_synchronization=True)
    assert isinstance(group, dist.ProcessGroup), "this rank belongs to the group"
    return group
