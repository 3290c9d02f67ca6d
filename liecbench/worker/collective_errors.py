"""Errors that every rank raises at the same place, and what may be done after them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch.distributed as dist

from liecbench.algorithms.base import NonFiniteError


class LinkError(Exception):
    """The link is not what the cell asked for, or was not used; every rank raises it for the same cell."""


class DataError(Exception):
    """Ranks would train on different data; every rank raises it for the same cell."""


def agree_on_data(dataset: str, own: str, before: str | None) -> None:
    """DataError where another rank's hash of its data is not ``own``, or was not ``before``. Collective."""
    hashes = [own] * dist.get_world_size()
    dist.all_gather_object(hashes, own)
    other = next((rank for rank, found in enumerate(hashes) if found != hashes[0]), None)
    if other is not None:
        raise DataError(f"rank {other} has other data than rank 0 for {dataset}; give all the same")
    if before not in (None, own):
        raise DataError(f"the data of {dataset} are not those of the epochs before; restore them, or use another --out")


@contextmanager
def afterwards(action: Callable[[], object]) -> Iterator[None]:
    """Do something collective when the body is over, unless one rank alone failed: it would wait for the others."""
    try:
        yield
    except (NonFiniteError, LinkError):
        action()
        raise
    action()
