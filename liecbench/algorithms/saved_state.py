"""The state of an algorithm on one rank, as ``state_dict`` returns it, and the checks before it is loaded.

The state is a mapping with one key, which names the rank, such as ``rank_0_of_4``. The ranks need different keys,
because ``torch.distributed.checkpoint`` saves a key only once, even if several ranks have it.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Self

import torch.distributed as dist

_KEY = re.compile(r"rank_(\d+)_of_(\d+)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """The rank and the process group that a saved state belongs to.

    Attributes:
        rank: The global rank.
        world_size: The number of all ranks.
        group: The global ranks of the algorithm's process group.
    """

    rank: int
    world_size: int
    group: list[int]

    @classmethod
    def of(cls, group: dist.ProcessGroup) -> Self:
        """Return this rank's place: the global rank, the world size, and the ranks of the process group ``group``."""
        ranks = dist.get_process_group_ranks(group)
        return cls(rank=dist.get_rank(), world_size=dist.get_world_size(), group=ranks)

    @property
    def key(self) -> str:
        """The key of the rank's state in the mapping that ``pack`` returns, such as ``rank_0_of_4``."""
        return f"rank_{self.rank}_of_{self.world_size}"


def pack(state: dict[str, Any], algorithm: Any, place: Place) -> dict[str, Any]:
    """Return a rank's state in the form that ``state_dict`` returns: a mapping with one key, such as ``rank_0_of_4``.

    The value is a mapping with the items of ``state``, the method's name and the method's options. The value also has
    the ranks of the process group, unless the group has all ranks.

    Args:
        state: The step count, the memories (tensors kept from step to step) and any other state of the algorithm.
        algorithm: The algorithm, a dataclass whose fields are the options.
        place: The rank and the process group that the state belongs to.
    """
    own = {"method": type(algorithm).__name__, "options": option_texts(algorithm), **state}
    if len(place.group) < place.world_size:
        own["group"] = place.group
    return {place.key: own}


def unpack(saved: Mapping[str, Any], algorithm: Any, place: Place) -> Mapping[str, Any]:
    """Return this rank's state from ``saved``, after checks that ``algorithm`` can load the state.

    Args:
        saved: The mapping that ``pack`` returned, or the merged mappings of several ranks.
        algorithm: The algorithm that is to load the state.
        place: This rank's place.

    Raises:
        ValueError: If ``saved`` is the state of another method, rank, process group or number of ranks.
    """
    if "memories" in saved:  # a checkpoint of an early version
        return saved
    places = [(int(match[1]), int(match[2])) for match in map(_KEY.fullmatch, saved) if match]
    if not places:
        raise ValueError(f"this is no state_dict() of a liecbench method; its keys are {', '.join(map(str, saved))}")
    sizes = {size for _, size in places}
    if sizes != {place.world_size}:
        found = " and ".join(map(str, sorted(sizes)))
        raise ValueError(
            f"the state was saved by {found} ranks, and now there are {place.world_size}; "
            f"train with {found} ranks, or go on without loading the state, from memories of zero"
        )
    if (place.rank, place.world_size) not in places:
        raise ValueError(
            f"the state is that of rank {places[0][0]}, and this is rank {place.rank}; "
            "let every rank save its own state_dict(), in a file of its own, and load it again"
        )
    state: Mapping[str, Any] = saved[place.key]
    if (group := state.get("group", list(range(place.world_size)))) != place.group:
        raise ValueError(
            f"the state was saved in a process group of ranks {', '.join(map(str, group))}, and the model's is now one "
            f"of ranks {', '.join(map(str, place.group))}; train in the same group, or go on without loading the state"
        )
    if state["method"] != type(algorithm).__name__:
        raise ValueError(
            f"the state is that of {state['method']}, and this is {type(algorithm).__name__}; "
            f"attach {state['method']}, or go on without loading the state, from memories of zero"
        )
    return state


def other_options(state: Mapping[str, Any], algorithm: Any) -> str:
    """Return how the options of ``algorithm`` differ from those in ``state``; an empty text if they do not.

    An example of the text is ``average_period was 2 and is 4``.
    """
    now, saved = option_texts(algorithm), state.get("options", {})
    changed = [name for name in now if saved.get(name, now[name]) != now[name]]
    return "; ".join(f"{name} was {saved[name]} and is {now[name]}" for name in changed)


def option_texts(algorithm: Any) -> dict[str, str]:
    """Return the name and the ``repr`` of each option of ``algorithm``, a dataclass whose fields are the options."""
    return {field.name: repr(getattr(algorithm, field.name)) for field in dataclasses.fields(algorithm)}
