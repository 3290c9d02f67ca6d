"""Errors that every rank raises at the same point, and cleanup that all ranks run together after such an error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch.distributed as dist

from liecbench.algorithms.base import NonFiniteError


class LinkError(Exception):
    """A network link that differs from the requested one, or that the traffic bypassed.

    A link differs if a measured rate or round trip is too far from the requested one. Traffic bypassed a link if the
    network interface carried fewer bytes than the payload. Every rank raises this error at the same point.
    """


class DataError(Exception):
    """Training data that differ between ranks, or from the data of the cell's earlier epochs.

    Every rank raises this error at the same point.
    """


class ProfileError(Exception):
    """A profile that ranks cannot replay.

    The profile lacks times of a method's compressor, or the profile could not be measured, read or written. Every rank
    raises this error at the same point.
    """


class UnusableCheckpointError(Exception):
    """A checkpoint that is damaged on some rank, or does not fit the cell's model.

    Every rank raises this error at the same point.
    """


def agree_on_data(dataset: str, own: str, before: str | None) -> None:
    """Check that all ranks have the same data. Collective.

    Args:
        dataset: Name of the dataset.
        own: Hash of this rank's data.
        before: Hash of the data of the cell's earlier epochs; None before the first epoch.

    Raises:
        DataError: If the hashes differ between ranks or from ``before``. Every rank raises this error.
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
    """Call the collective ``action`` after the ``with`` body, on every rank.

    ``action`` is also called if the body raises NonFiniteError, LinkError or UnusableCheckpointError, because every
    rank raises these. After any other error ``action`` is skipped: only this rank failed, and would wait forever for
    its peers.
    """
    try:
        yield
    except (NonFiniteError, LinkError, UnusableCheckpointError):
        action()
        raise
    action()
