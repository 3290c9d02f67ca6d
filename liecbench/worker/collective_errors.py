"""Errors that every rank raises at the same point, and collective cleanup after them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch.distributed as dist

from liecbench.algorithms.base import NonFiniteError


class LinkError(Exception):
    """A link whose measured rate deviates too far from its request, or that traffic bypassed; raised on every rank."""


class DataError(Exception):
    """Training data that differ between ranks, or from the data of earlier epochs; raised on every rank."""


def agree_on_data(dataset: str, own: str, before: str | None) -> None:
    """Check that all ranks have the same data. Collective.

    Args:
        dataset: Name of the dataset.
        own: Hash of this rank's data.
        before: Hash of the data of the cell's earlier epochs; None before the first epoch.

    Raises:
        DataError: If the ranks' hashes differ, or if they differ from ``before``; raised on every rank.
    """
    hashes = [own] * dist.get_world_size()
    dist.all_gather_object(hashes, own)
    other = next((rank for rank, found in enumerate(hashes) if found != hashes[0]), None)
    if other is not None:
        raise DataError(f"rank {other} has other data than rank 0 for {dataset}; give every rank the same data")
    if before not in (None, own):
        raise DataError(
            f"the data of {dataset} differ from those of earlier epochs; restore the old data, or use another --out"
        )


@contextmanager
def collective_cleanup(action: Callable[[], object]) -> Iterator[None]:
    """Run the collective ``action`` after the body, also if the body raises an error that every rank raises.

    After any other error skip ``action``: only this rank failed, so its peers would never join.
    """
    try:
        yield
    except (NonFiniteError, LinkError):
        action()
        raise
    action()
