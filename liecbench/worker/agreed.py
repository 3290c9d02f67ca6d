"""Errors that every rank raises at the same place, and what may be done after them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from liecbench.algorithms.base import NonFiniteError


class LinkError(Exception):
    """The link is not what the cell asked for, or was not used; every rank raises it for the same cell."""


class DataError(Exception):
    """Ranks would train on different data; every rank raises it for the same cell."""


@contextmanager
def afterwards(action: Callable[[], object]) -> Iterator[None]:
    """Do something collective when the body is over, unless one rank alone failed: it would wait for the others."""
    try:
        yield
    except (NonFiniteError, LinkError):
        action()
        raise
    action()
