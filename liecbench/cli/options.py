"""Options and arguments that several subcommands of ``liecbench`` share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from liecbench.cli.completion import complete_compressors, complete_methods, complete_profiles, complete_scenarios
from liecbench.config.bundled_scenarios import profile_path, scenario_path


class TextOrJson(StrEnum):
    """The output formats of commands that print a text for people, or JSON."""

    TABLE = "table"
    JSON = "json"


OutputFormat = Annotated[TextOrJson, typer.Option("--format", help="How to print it.")]
_SCENARIO = typer.Argument(
    metavar="SCENARIO",
    help="A scenario file, or the name of a bundled scenario, such as quickstart.",
    show_default=False,
    parser=scenario_path,
    autocompletion=complete_scenarios,
)
ScenarioPath = Annotated[Path, _SCENARIO]
OptionalScenarioPath = Annotated[Path | None, _SCENARIO]
ProfilePath = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A profile: a file, or the name of a bundled one; default: measure the scenario's model on this device.",
        show_default=False,
        parser=profile_path,
        autocompletion=complete_profiles,
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="NAME or NAME:OPTION=VALUE,…; repeatable.",
        show_default="the scenario's, or seven",
        autocompletion=complete_methods,
    ),
]
Compressors = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="NAME or NAME:OPTION=VALUE,…; repeatable.",
        show_default="the scenario's, or sign",
        autocompletion=complete_compressors,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="KEY=VALUE", help="Take only the cells whose field KEY is VALUE; repeatable."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a key of the scenario; repeatable."),
]
ShareGpus = Annotated[
    bool, typer.Option("--share-gpus", help="Let NCCL ranks share GPUs (experimental: NCCL does not support it).")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print no progress, only warnings.")]
