"""Validate the specs of thousands of cells quickly: cells that differ only in the seed are validated once."""

import functools
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from liecbench.config.cell import Cell

_MOST_SEED: Final = 2**63 - 1
_MOST_SPECS: Final = 2**16


def complete_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cell's spec with the defaults of fields that a later version added to cells.

    Nested mappings in the result are cached for other cells' specs, too, and must not be changed.

    Raises:
        ValidationError: If the spec is not that of a cell.
    """
    seed = spec.get("seed")
    if type(seed) is not int or not 0 <= seed <= _MOST_SEED:
        return Cell.from_spec(dict(spec)).spec()
    return {**_completed(alike_key(spec)), "seed": seed}


def alike_key(spec: Mapping[str, Any]) -> bytes:
    """Return a key that is equal for cells that differ only in the seed."""
    return to_json({name: value for name, value in spec.items() if name != "seed"}, inf_nan_mode="constants")


@functools.lru_cache(maxsize=_MOST_SPECS)
def _completed(alike: bytes) -> dict[str, Any]:
    return Cell.from_spec({**from_json(alike), "seed": 0}).spec()
