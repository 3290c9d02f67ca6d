"""Names of cells' methods in a dry run: the algorithm, its compressor, and the fields that tell cells apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from liecbench.config.cell import Cell
from liecbench.config.cell_fields import flat_fields
from liecbench.config.method_labels import option_label
from liecbench.prediction.prediction_inputs import method_of, methods_of

# Lines and sessions of a dry run name these themselves. A scenario has one order of blocks, which methods without it do
# not take.
_NAMED_ELSEWHERE = frozenset({"workers", "link", "seed", "block_order"})


def method_names(cells: Sequence[Cell]) -> list[str]:
    """Return a name for the method of each cell, such as ``liec(sign) average period 32`` or ``psgd server root``.

    Options and other fields stand in a name only if they tell the cell apart from another one of the same algorithm,
    compressor, number of workers and link.
    """
    methods = methods_of(cells)
    labels = {repr(method): method.label(methods) for method in methods}
    named = [(labels[repr(method_of(cell))], cell.workers, str(cell.link)) for cell in cells]
    flat = [flat_fields(cell.spec()) for cell in cells]
    alike: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for key, fields in zip(named, flat, strict=True):
        alike.setdefault(key, []).append(fields)
    apart = {key: _varying(found) for key, found in alike.items()}
    return [_name(key[0], fields, apart[key]) for key, fields in zip(named, flat, strict=True)]


def _name(label: str, fields: Mapping[str, Any], apart: Sequence[str]) -> str:
    texts = [option_label(name, fields[name]) for name in apart if fields.get(name) is not None]
    return " ".join([label, *texts])


def _varying(alike: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the fields that have several values among cells with equal names, in the cells' order."""
    values: dict[str, set[str]] = {}
    for fields in alike:
        for name, value in fields.items():
            values.setdefault(name, set()).add(repr(value))
    return [name for name, found in values.items() if len(found) > 1 and name not in _NAMED_ELSEWHERE]


def seeds_text(seeds: Sequence[int]) -> str:
    """Return distinct seeds as text, such as ``seed 0``, ``seeds 0 to 9`` or ``seeds 0, 2``."""
    first, last = min(seeds), max(seeds)
    if first == last:
        return f"seed {first}"
    return f"seeds {first} to {last}" if last - first == len(seeds) - 1 else f"seeds {', '.join(map(str, seeds))}"
