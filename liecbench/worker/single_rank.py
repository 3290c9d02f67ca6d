"""A process group of this rank alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist


@contextmanager
def group_of_one(device: torch.device) -> Iterator[dist.ProcessGroup]:
    """Yield a process group with this rank alone, and destroy it after the ``with`` body. Not collective.

    In a launch, the other ranks need not call anything. In a process without ranks, the group is its default group.

    Args:
        device: The device of the tensors that the group is used for.
    """
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    if not dist.is_initialized():
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
        group = dist.group.WORLD
    else:
        group = dist.new_group([dist.get_rank()], backend=backend, use_local_synchronization=True)
    assert isinstance(group, dist.ProcessGroup), "this rank belongs to the group"
    try:
        yield group
    finally:
        dist.destroy_process_group(group)
