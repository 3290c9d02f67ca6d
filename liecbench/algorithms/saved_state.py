"""The state of an algorithm on one rank, as ``state_dict`` returns it: what it must hold to be loaded safely.

The state is a mapping with one key, which names the rank. ``torch.distributed.checkpoint`` saves equal keys of several
ranks only once, so that without the rank in the key all memories but one rank's would be lost.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

_KEY = re.compile(r"rank_(\d+)_of_(\d+)")


def pack(state: dict[str, Any], algorithm: Any, rank: int, world_size: int) -> dict[str, Any]:
    """Return ``state`` with the rank in its key, and with the method's name and options.

    Args:
        state: The step count and the memories.
        algorithm: The algorithm, a dataclass whose fields are its options.
        rank: The rank in the algorithm's process group.
        world_size: The size of that group.
    """
    own = {"method": type(algorithm).__name__, "options": _options(algorithm), **state}
    return {f"rank_{rank}_of_{world_size}": own}


def unpack(saved: Mapping[str, Any], algorithm: Any, rank: int, world_size: int) -> Mapping[str, Any]:
    """Return the part of ``saved`` for this rank. The arguments are those of ``pack``.

    Raises:
        ValueError: If ``saved`` is the state of another method, rank or number of ranks.
    """
    if "memories" in saved:  # a checkpoint of an early version
        return saved
    places = [(int(match[1]), int(match[2])) for match in map(_KEY.fullmatch, saved) if match]
    if not places:
        raise ValueError(f"this is no state_dict() of a liecbench method; its keys are {', '.join(map(str, saved))}")
    sizes = {size for _, size in places}
    if sizes != {world_size}:
        found = " and ".join(map(str, sorted(sizes)))
        raise ValueError(
            f"the state was saved by {found} ranks, and now there are {world_size}; "
            f"train with {found} ranks, or go on without loading the state, from memories of zero"
        )
    if (rank, world_size) not in places:
        raise ValueError(
            f"the state is that of rank {places[0][0]}, and this is rank {rank}; "
            "let every rank save its own state_dict(), in a file of its own, and load it again"
        )
    state: Mapping[str, Any] = saved[f"rank_{rank}_of_{world_size}"]
    if state["method"] != type(algorithm).__name__:
        raise ValueError(
            f"the state is that of {state['method']}, and this is {type(algorithm).__name__}; "
            f"attach {state['method']}, or go on without loading the state, from memories of zero"
        )
    return state


def other_options(state: Mapping[str, Any], algorithm: Any) -> str:
    """Return, as text, the options of ``algorithm`` that differ from those in ``state``, with both values."""
    now, saved = _options(algorithm), state.get("options", {})
    changed = [name for name in now if saved.get(name, now[name]) != now[name]]
    return "; ".join(f"{name} was {saved[name]} and is {now[name]}" for name in changed)


def _options(algorithm: Any) -> dict[str, str]:
    return {field.name: repr(getattr(algorithm, field.name)) for field in dataclasses.fields(algorithm)}
