"""A check that each cell's method has a compressor if it needs one, and works with it."""

import functools
import json
from collections.abc import Iterator, Sequence

from liecbench.config import registry
from liecbench.config.cell import Cell
from liecbench.config.mistakes import Mistake
from liecbench.config.scenario import MATRIX, Scenario
from liecbench.config.short_lists import listed
from liecbench.config.yaml_source import Key


def check_compressors(scenario: Scenario) -> Iterator[Mistake]:
    """Yield a mistake for each compressor that methods refuse, and for each place where methods need one and have none.

    Methods that refuse a compressor for the same reason are named in one mistake.
    """
    needing: dict[Key, dict[str, None]] = {}
    refusing: dict[tuple[Key, str, str, bool], dict[str, None]] = {}
    for point, cell in scenario.kept:
        path, method = point.path("compressor"), cell.algorithm.name
        if _lacks_compressor(cell):
            needing.setdefault(path, {})[method] = None
        elif cell.compressor is not None and (reason := _incompatibility(cell)) is not None:
            key = (path, cell.compressor.name, reason, point.section == MATRIX)
            refusing.setdefault(key, {})[method] = None
    for path, methods in needing.items():
        verb = "needs" if len(methods) == 1 else "need"
        message = f"{listed(list(methods))} {verb} a compressor; add compressor: [sign] to the matrix"
        yield Mistake(path, message)
    for (path, compressor, reason, in_matrix), methods in refusing.items():
        verb = "refuses" if len(methods) == 1 else "refuse"
        message = f"{listed(list(methods))} {verb} {compressor}: {reason}"
        yield Mistake(path, message + _exclusion(list(methods), compressor) if in_matrix else message)


def has_its_compressor(cell: Cell) -> bool:
    """Return whether the cell's method works with the cell's compressor, or with none if the cell has none."""
    return not _lacks_compressor(cell) and _incompatibility(cell) is None


def _exclusion(methods: Sequence[str], compressor: str) -> str:
    others = ", …" if len(methods) > 1 else ""
    return f"; or exclude: [{{algorithm: {methods[0]}, compressor: {compressor}}}{others}]"


def _lacks_compressor(cell: Cell) -> bool:
    return cell.compressor is None and registry.needs_compressor(registry.load("algorithm", cell.algorithm.name))


def _incompatibility(cell: Cell) -> str | None:
    """Return the reason why a cell's algorithm does not work with the cell's compressor, or None if it does."""
    if cell.compressor is None:
        return None
    return _reason(cell.algorithm.model_dump_json(), cell.compressor.model_dump_json())


@functools.cache
def _reason(algorithm: str, compressor: str) -> str | None:
    method, other = json.loads(algorithm), json.loads(compressor)
    made = registry.load("compressor", other.pop("name"))(**other)
    cls = registry.load("algorithm", method.pop("name"))
    reason: str | None = cls.incompatibility(made)
    if reason is None:
        try:
            cls(**method, compressor=made)
        except ValueError as error:  # the compressor contradicts an option
            reason = str(error)
    return reason
