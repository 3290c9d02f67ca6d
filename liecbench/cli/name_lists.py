"""The command ``liecbench list``."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from liecbench.cli.options import OutputFormat, TextOrJson
from liecbench.config.bundled_scenarios import question, scenario_names
from liecbench.console.console import ignore_broken_pipe
from liecbench.errors import LiecbenchError

if TYPE_CHECKING:
    from liecbench.config.registry import Kind


class Listing(StrEnum):
    """The kinds of names that ``liecbench list`` can print."""

    ALGORITHMS = "algorithms"
    COMPRESSORS = "compressors"
    MODELS = "models"
    DATASETS = "datasets"
    OPTIMIZERS = "optimizers"
    PROBLEMS = "problems"
    SCENARIOS = "scenarios"


_KINDS: Final[dict[Listing, "Kind"]] = {
    Listing.ALGORITHMS: "algorithm",
    Listing.COMPRESSORS: "compressor",
    Listing.MODELS: "model",
    Listing.DATASETS: "dataset",
    Listing.OPTIMIZERS: "optimizer",
    Listing.PROBLEMS: "problem",
}


def list_names(
    what: Annotated[Listing, typer.Argument(show_default=False)],
    python: Annotated[bool, typer.Option("--python", help="Print the imports and calls for a Python script.")] = False,
    output: OutputFormat = TextOrJson.TABLE,
) -> None:
    """List all compressors, or all names of another kind, such as models or bundled scenarios.

    Bundled scenarios are listed with the question that each scenario answers. Names of all other kinds are listed with
    their options and defaults, and can be used in scenario or theory files.
    """
    if python and (output == TextOrJson.JSON or what == Listing.SCENARIOS):
        message = "list: --python prints calls of classes, which scenarios and JSON do not have"
        raise LiecbenchError(message, "remove --python or --format json")
    lines = _scenarios(output) if what == Listing.SCENARIOS else _registered(_KINDS[what], output, python=python)
    with ignore_broken_pipe():
        print("\n".join(lines))


def _registered(kind: "Kind", output: TextOrJson, *, python: bool) -> list[str]:
    from liecbench.report import listing

    if output == TextOrJson.JSON:
        return [json.dumps(listing.objects(kind), indent=2, allow_nan=False)]
    return list(listing.python_lines(kind) if python else listing.lines(kind))


def _scenarios(output: TextOrJson) -> list[str]:
    names = scenario_names()
    if output == TextOrJson.JSON:
        return [json.dumps([{"name": name, "question": question(name)} for name in names], indent=2)]
    width = max(map(len, names), default=0)
    return [f"{name:{width}}  {question(name)}" for name in names]
