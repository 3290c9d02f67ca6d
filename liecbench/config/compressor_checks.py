"""A check that each cell's method works with its compressor."""

from collections.abc import Iterator

from liecbench.config import registry
from liecbench.config.choice import Choice
from liecbench.config.mistakes import Mistake
from liecbench.config.scenario import MATRIX, Scenario


def check_compressors(scenario: Scenario) -> Iterator[Mistake]:
    """Yield a mistake for each compressor with which a cell's method does not work."""
    incompatibilities: dict[tuple[str, str], str | None] = {}
    for point, cell in scenario.kept:
        if cell.compressor is None:
            continue
        pair = (cell.algorithm.model_dump_json(), cell.compressor.model_dump_json())
        if pair not in incompatibilities:
            incompatibilities[pair] = _incompatibility(cell.algorithm, cell.compressor)
        reason = incompatibilities[pair]
        if reason is not None:
            name = cell.compressor.name
            entry = f"{{algorithm: {cell.algorithm.name}, compressor: {name}}}"
            way_out = f"; or exclude: [{entry}]" if point.section == MATRIX else ""
            message = f"{cell.algorithm.name} refuses {name}: {reason}{way_out}"
            yield Mistake(point.path("compressor"), message)


def _incompatibility(algorithm: Choice, compressor: Choice) -> str | None:
    """Return the reason why an algorithm does not work with a compressor, or None if it does."""
    made = registry.load("compressor", compressor.name)(**compressor.options)
    cls = registry.load("algorithm", algorithm.name)
    reason: str | None = cls.incompatibility(made)
    if reason is None:
        try:
            cls(**algorithm.options, compressor=made)
        except ValueError as error:  # the compressor contradicts an option
            reason = str(error)
    return reason
