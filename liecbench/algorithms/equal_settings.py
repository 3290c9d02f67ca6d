"""A check that all ranks attach the same method with the same options to the same parameters."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import torch
import torch.distributed as dist

_MOST_NAMED: Final = 3
# What differs on every rank: addresses, in the default repr of an object, and numbers of GPUs.
_OF_ONE_RANK: Final = re.compile(r" at 0x[0-9a-f]+|(?<=cuda):\d+|(?<=type='cuda'), index=\d+")


def require_equal_settings(settings: Mapping[str, str], group: dist.ProcessGroup, device: torch.device) -> None:
    """Compare ``settings`` over the ranks of ``group``. Collective.

    Args:
        settings: The name and the value of every setting that must be equal on all ranks.
        group: The ranks. Tensors of ``device`` can be sent in it.
        device: The model's device.

    Raises:
        ValueError: On every rank, if the settings differ. The message has the first settings that differ, and the
            ranks that have each value.
    """
    text = json.dumps({name: _OF_ONE_RANK.sub("", value) for name, value in settings.items()}, sort_keys=True).encode()
    digest = int.from_bytes(hashlib.blake2b(text, digest_size=7).digest())
    # The largest digest and the smallest one, from a single all-reduce; with them the largest length of a text.
    bounds = torch.tensor([digest, -digest, len(text)], device=device)
    dist.all_reduce(bounds, dist.ReduceOp.MAX, group)
    largest, negated_smallest, length = map(int, bounds.tolist())
    if largest == -negated_smallest:
        return
    differences = _differences(_gathered(text, length, group, device), dist.get_process_group_ranks(group))
    shown = "; ".join(differences[:_MOST_NAMED])
    more = f"; and {len(differences) - _MOST_NAMED} more" if len(differences) > _MOST_NAMED else ""
    raise ValueError(
        f"the ranks attach with different settings, and would wait for each other or train different models: {shown}"
        f"{more}; create the method and the model in the same way on every rank"
    )


def _gathered(text: bytes, length: int, group: dist.ProcessGroup, device: torch.device) -> list[dict[str, str]]:
    """Return the settings of all ranks; ``length`` is the largest number of bytes of a rank's ``text``."""
    # An all-reduce, because Gloo gathers no tensors of a GPU.
    texts = torch.zeros((group.size(), length), dtype=torch.uint8, device=device)
    texts[group.rank()] = torch.frombuffer(bytearray(text.ljust(length)), dtype=torch.uint8)
    dist.all_reduce(texts, group=group)
    return [json.loads(bytes(row)) for row in texts.tolist()]


def _differences(settings: Sequence[Mapping[str, str]], ranks: Sequence[int]) -> list[str]:
    """Return one text for each setting that differs, such as ``average_period is 4 on rank 0 and 5 on rank 1``.

    Args:
        settings: The settings of each rank.
        ranks: The rank's number, for each of ``settings``.
    """
    if len({own["method"] for own in settings}) > 1:  # whose options have other names
        settings = [{"method": own["method"]} for own in settings]
    names = list(dict.fromkeys(name for own in settings for name in own))
    texts = []
    for name in names:
        holders: dict[str, list[str]] = defaultdict(list)
        for rank, own in zip(ranks, settings, strict=True):
            holders[own.get(name, "missing")].append(str(rank))
        if len(holders) > 1:
            texts.append(f"{name} is {' and '.join(f'{value} on {_ranks(of)}' for value, of in holders.items())}")
    return texts


def _ranks(numbers: Sequence[str]) -> str:
    return f"rank {numbers[0]}" if len(numbers) == 1 else f"ranks {', '.join(numbers)}"
