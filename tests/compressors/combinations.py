"""Parametrisation of tests by combinations of several values, of which most run only with ``pytest --long``."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest


def spread(*axes: Sequence[Any], one_in: int) -> list[Any]:
    """Return every combination of one value per axis, and mark all but one in ``one_in`` as long.

    A combination runs by default if its indices add up to a multiple of ``one_in``. So every value runs if another axis
    has at least ``one_in`` values, and every pair of values if a third axis has.
    """
    combinations = itertools.product(*(enumerate(axis) for axis in axes))
    return [
        pytest.param(
            *(value for _, value in combination),
            id="-".join(str(value) for _, value in combination),
            marks=[pytest.mark.long] if sum(index for index, _ in combination) % one_in else [],
        )
        for combination in combinations
    ]
