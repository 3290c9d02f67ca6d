"""Check that a scenario's baseline is in its matrix: a cell has its algorithm and all values of its fields."""

from collections.abc import Mapping, Sequence
from typing import Any

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.cell_fields import flat_fields
from liecbench.config.matrix_point import given
from liecbench.config.scenario import Scenario
from liecbench.config.yaml_source import Document, Key
from liecbench.errors import LiecbenchError, ScenarioError, did_you_mean


def check_baseline(document: Document, scenario: Scenario) -> None:
    """Raise ScenarioError if no cell is the baseline that the scenario chooses. The message says what cells have.

    Args:
        document: The scenario's YAML document, which gives an error its position.
        scenario: The scenario.
    """
    try:
        choice = BaselineChoice.parse(scenario.baseline)
    except LiecbenchError as error:
        raise document.error(("baseline",), str(error).removeprefix("baseline: ")) from None
    names = [algorithm.name for algorithm in given(scenario.matrix)["algorithm"]]
    if choice.algorithm not in names:
        message = f"{choice.algorithm!r} is not an algorithm of the matrix ({did_you_mean(choice.algorithm, names)})"
        raise document.error(("baseline",), message)
    if choice.fixed:
        _check_fields(document, choice, [cell.spec() for cell in scenario.cells()])


def _check_fields(document: Document, choice: BaselineChoice, specs: Sequence[Mapping[str, Any]]) -> None:
    if any(choice.matches(spec) for spec in specs):
        return
    at: Key = ("baseline",)
    own = [fields for fields in map(flat_fields, specs) if fields["algorithm"] == choice.algorithm]
    known = {name for fields in own for name in fields}
    for name in choice.fixed:
        if own and name not in known:
            message = f"cells of {choice.algorithm} have no field {name!r} ({did_you_mean(name, known)})"
            raise document.error((*at, name), message, at_key=True)
        if own and not any(choice.has(name, fields) for fields in own):
            raise _no_such_value(document, choice, name, own)
    raise document.error(at, f"no cell is {choice.text}; give values that one cell has")


def _no_such_value(
    document: Document, choice: BaselineChoice, name: str, own: Sequence[Mapping[str, Any]]
) -> ScenarioError:
    values = " or ".join(dict.fromkeys(str(fields[name]) for fields in own if name in fields))
    message = f"no cell is {choice.text}: in cells of {choice.algorithm}, {name} is {values}; give such a value"
    return document.error(("baseline", name), message)
