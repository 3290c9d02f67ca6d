"""Check a scenario's baseline: at least one cell must have the baseline's algorithm and field values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.cell_fields import flat_fields
from liecbench.config.mistakes import Mistake
from liecbench.config.scenario import Scenario
from liecbench.config.short_lists import shortened
from liecbench.config.yaml_source import Key
from liecbench.errors import LiecbenchError, did_you_mean

_AT: Key = ("baseline",)


def check_baseline(scenario: Scenario) -> Iterator[Mistake]:
    """Yield the mistakes in the baseline, which are of three kinds.

    - The text of the baseline cannot be parsed.
    - No cell has the baseline's algorithm and all its field values.
    - The baseline has a seed.

    Args:
        scenario: The scenario, whose cells must have all fields that they need.
    """
    try:
        choice = BaselineChoice.parse(scenario.baseline)
    except LiecbenchError as error:
        yield Mistake(_AT, str(error).removeprefix("baseline: "))
        return
    own = [cell for cell in scenario.cells() if cell.algorithm.name == choice.algorithm]
    if not own:
        yield Mistake(_AT, _no_cell(scenario, choice.algorithm))
    elif choice.fixed:
        yield from _check_fields(choice, [flat_fields(cell.spec()) for cell in own])


def _no_cell(scenario: Scenario, algorithm: str) -> str:
    names = {cell.algorithm.name for _, cell in scenario.product}
    if algorithm in names:
        return f"every cell of {algorithm} is excluded; exclude fewer, or give another baseline"
    return f"no cell has the algorithm {algorithm!r} ({did_you_mean(algorithm, names)})"


def _check_fields(choice: BaselineChoice, own: Sequence[Mapping[str, Any]]) -> Iterator[Mistake]:
    """Yield the mistakes if no cell of the baseline's algorithm has all the values that ``choice`` fixes.

    A fixed seed is a mistake, too, because methods are compared over all seeds. ``own`` are the fields of each cell of
    the algorithm.
    """
    if "seed" in choice.fixed:
        message = f"{choice.fixed['seed']}: a seed is no part of a method, and methods are compared over all seeds"
        yield Mistake((*_AT, "seed"), f"{message}; remove it", at_key=True)
        choice = choice.without(["seed"])
    if any(all(choice.has(name, fields) for name in choice.fixed) for fields in own):
        return
    known = {name for fields in own for name in fields}
    wrong = [name for name in choice.fixed if not any(choice.has(name, fields) for fields in own)]
    for name in wrong:
        if name not in known:
            message = f"cells of {choice.algorithm} have no field {name!r} ({did_you_mean(name, known)})"
            yield Mistake((*_AT, name), message, at_key=True)
        else:
            yield _no_such_value(choice, name, own)
    if not wrong:
        yield Mistake(_AT, f"no cell is {choice.text}; give values that one cell has")


def _no_such_value(choice: BaselineChoice, name: str, own: Sequence[Mapping[str, Any]]) -> Mistake:
    values = dict.fromkeys(str(fields[name]) for fields in own if fields.get(name) is not None)
    if not values:
        return Mistake((*_AT, name), f"cells of {choice.algorithm} have no {name}; remove it", at_key=True)
    message = f"in cells of {choice.algorithm}, {name} is {shortened(list(values), 'or')}; give such a value"
    return Mistake((*_AT, name), f"no cell is {choice.text}: {message}")
