"""An algorithm's own process group, with the same ranks, backend and timeout as the model's group."""

from collections import defaultdict, deque
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist

# Groups of some of the ranks that no algorithm uses now. They are used again instead of destroyed, because the name
# that torch would give a new group of the same ranks might be that of a destroyed one, and the two would mix.
_unused: Final[dict[str, list[dist.ProcessGroup]]] = defaultdict(list)
# The group that was destroyed last. Its memory is freed when the next group is destroyed: the last callback may still
# wait for the GIL on a thread of the group, and if that thread freed the group, it would join itself and abort.
_destroyed: Final[deque[dist.ProcessGroup]] = deque(maxlen=1)


def acquire_group(group: dist.ProcessGroup, device: torch.device) -> dist.ProcessGroup:
    """Return a process group for an algorithm's own messages, with the ranks and backend of ``group``.

    Every rank of ``group`` must call this function, and no other rank. The returned group may be one that
    ``release_group`` kept.

    Args:
        group: The process group of the model.
        device: The model's device. The timeout that ``group`` has for this device is also the returned group's.
    """
    ranks = dist.get_process_group_ranks(group)
    timeout, backend = _timeout(group, device), _backend(group)
    kept = _unused[_key(group, device)]
    kept[:] = filter(exists, kept)
    if len(ranks) == dist.get_world_size():
        own = dist.new_group(ranks, timeout=timeout, backend=backend)
    elif kept:
        own = kept.pop()
    else:
        _agree_on_name(group, device)
        own = dist.new_group(ranks, timeout=timeout, backend=backend, use_local_synchronization=True)
    assert isinstance(own, dist.ProcessGroup), "this rank belongs to the group of the model"
    return own


def release_group(own: dist.ProcessGroup, device: torch.device, *, has_failed: bool) -> None:
    """Release a group that ``acquire_group`` returned.

    A group of all ranks is destroyed. A smaller group is not destroyed. If ``has_failed`` is False, ``acquire_group``
    can return the smaller group again. If the training script has already destroyed the group, do nothing.

    Args:
        own: The group.
        device: The device for which the group was acquired.
        has_failed: Whether the algorithm that used the group has failed.
    """
    if not exists(own):
        return
    if own.size() == dist.get_world_size():
        dist.destroy_process_group(own)
        _destroyed.append(own)
    elif not has_failed:
        _unused[_key(own, device)].append(own)


def _backend(group: dist.ProcessGroup) -> str:
    """Return the backend of ``group`` in the form that ``new_group`` takes without a warning.

    This is ``gloo`` or ``nccl`` if the group has only that backend. Otherwise it is torch's longer form, such as
    ``cpu:gloo,cuda:nccl``.
    """
    config: str = dist.get_backend_config(group)
    named = {str(dist.distributed_c10d.BackendConfig(dist.Backend(name))): name for name in ("gloo", "nccl")}
    return named.get(config, config)


def exists(group: dist.ProcessGroup) -> bool:
    """Return False if ``group`` has been destroyed, alone or together with all groups; else True."""
    return group in dist.distributed_c10d._world.pg_map


def _key(group: dist.ProcessGroup, device: torch.device) -> str:
    parts = dist.get_process_group_ranks(group), dist.get_backend_config(group), device, _timeout(group, device)
    return " ".join(map(str, parts))


def _timeout(group: dist.ProcessGroup, device: torch.device) -> timedelta:
    timeout: timedelta = group._get_backend(device).options._timeout
    return timeout


def _agree_on_name(group: dist.ProcessGroup, device: torch.device) -> None:
    """Create dummy process groups on ranks that have fewer groups than others, until all have equally many.

    torch derives a new group's name from the number of groups on the rank, and the name must be the same on all ranks.
    Collective over ``group``.
    """
    own = len(dist.distributed_c10d._world.pg_names)
    most = torch.tensor(own, device=device)
    dist.all_reduce(most, dist.ReduceOp.MAX, group)
    for _ in range(int(most) - own):
        dist.new_group([dist.get_rank()], use_local_synchronization=True)
