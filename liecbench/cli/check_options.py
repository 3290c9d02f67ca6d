"""The options that subcommands of ``liecbench check`` share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from liecbench.errors import LiecbenchError


class CheckFormat(StrEnum):
    """The output formats of ``liecbench check``."""

    TABLE = "table"
    JSON = "json"


# Options of every subcommand: the reports of the outcome.
OutputFormat = Annotated[CheckFormat, typer.Option("--format", help="How to print the outcome.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the outcome with all raw data as JSON.")
]
JunitFile = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write the outcome as JUnit XML.")]
Github = Annotated[bool, typer.Option("--github", help="Write GitHub's step summary and annotations.")]

# Options of ``scenarios``, ``revisions`` and ``pythons``: the processes to compare, and the slowdowns to allow.
VariablesA = Annotated[
    list[str] | None,
    typer.Option("--env-a", metavar="NAME=VALUE", help="Set an environment variable for A's processes; repeatable."),
]
VariablesB = Annotated[
    list[str] | None,
    typer.Option("--env-b", metavar="NAME=VALUE", help="Set an environment variable for B's processes; repeatable."),
]
Tolerance = Annotated[
    float,
    typer.Option(
        metavar="SHARE", min=0.0, max=1.0, help="B fails if shown to be slower than A by more than this share."
    ),
]
Bound = Annotated[
    float,
    typer.Option(metavar="SHARE", min=0.0, max=1.0, help="B passes if shown to be slower by less than this share."),
]

# Options of every subcommand but ``results``: the number and order of measurements.
Pairs = Annotated[
    int, typer.Option(metavar="N", min=7, max=1000, help="Without a verdict after N pairs, a cell is inconclusive.")
]
Relaunches = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        max=100,
        help="Launch both sides at least N times. Step times differ from launch to launch, so a verdict needs 5 "
        "launches: with fewer, a check is quicker but INCONCLUSIVE. A cell is INCONCLUSIVE earlier if launches "
        "contradict each other so much that neither PASS nor FAIL is possible any more.",
    ),
]
OrderSeed = Annotated[int, typer.Option("--seed", metavar="N", help="Random seed for the A/B order.")]


def variables(option: str, assignments: list[str] | None) -> dict[str, str]:
    """Parse ``NAME=VALUE`` assignments of environment variables, and return the values by name.

    Args:
        option: The command-line option that has the assignments, for error messages.
        assignments: The texts, such as ``OMP_PROC_BIND=true``; None for none.

    Raises:
        LiecbenchError: If an assignment is not of the form ``NAME=VALUE``.
    """
    found = {}
    for assignment in assignments or []:
        name, sign, value = assignment.partition("=")
        if not sign or not name:
            message = f"{option} {assignment}: not NAME=VALUE"
            raise LiecbenchError(message, f"write for example {option} OMP_PROC_BIND=true")
        found[name] = value
    return found
