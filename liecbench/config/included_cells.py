"""Notes on the entries of ``include`` that lack axes of which the matrix has several values."""

from collections.abc import Iterator
from typing import Any

from liecbench.config import registry
from liecbench.config.axes import AlgorithmChoice
from liecbench.config.choice import Choice
from liecbench.config.matrix_point import given
from liecbench.config.scenario import Scenario


def included_notes(scenario: Scenario) -> Iterator[str]:
    """Yield a note for each entry of ``include`` that takes the first of several values of the matrix."""
    axes = given(scenario.matrix)
    for index, entry in enumerate(scenario.include):
        own = given(entry)
        algorithms = [registry.load("algorithm", one.name) for one in own.get("algorithm", axes["algorithm"][:1])]
        ignored = [
            name for name in ("compressor", "server") if not any(registry.takes(cls, name) for cls in algorithms)
        ]
        taken = [
            f"{name} {_text(values[0])}"
            for name, values in axes.items()
            if len(values) > 1 and name not in own and name not in ignored
        ]
        if taken:
            yield f"note: include[{index}] takes the first of the matrix for what it lacks: {', '.join(taken)}"


def _text(value: Any) -> str:
    return value.name if isinstance(value, Choice | AlgorithmChoice) else str(value)
