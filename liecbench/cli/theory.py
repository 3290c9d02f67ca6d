"""The command ``liecbench theory``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from liecbench.cli.completion import complete_scenarios
from liecbench.cli.options import Assignments, Quiet
from liecbench.config.bundled_scenarios import scenario_path
from liecbench.console.console import ignore_broken_pipe, say


class TheoryFormat(StrEnum):
    """The output formats of ``liecbench theory``."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


def theory(
    scenario: Annotated[
        Path,
        typer.Argument(
            metavar="SCENARIO",
            help="A theory file, or the name of a bundled one.",
            parser=scenario_path,
            autocompletion=complete_scenarios,
        ),
    ] = Path("paper/theory"),
    assignments: Assignments = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=1000, help="Use the seeds 0 to N − 1.", show_default=False)
    ] = None,
    output: Annotated[TheoryFormat, typer.Option("--format", help="How to print it.")] = TheoryFormat.TABLE,
    quiet: Quiet = False,
) -> None:
    """Simulate methods in one process on functions whose gradient is known.

    A theory file has studies. Each study measures one of two numbers for each method, compressor and number of workers:
    the largest stable learning rate, or the mean square norm of the gradient when only noise moves the workers away
    from the minimum.
    """
    import torch

    from liecbench.report import theory_page
    from liecbench.theory.study_results import run_study
    from liecbench.theory.theory_loader import load_theory

    file = load_theory(scenario, assignments or ())
    if seeds is not None:
        file = file.with_seeds(seeds)
    torch.set_num_threads(1)  # vectors are short: threads would take longer to start than to compute
    results = []
    for number, study in enumerate(file.studies, start=1):
        total, done = len(study.methods()), 0

        def count() -> None:
            nonlocal done
            done += 1
            say(f"study {number} of {len(file.studies)}: {done} of {total} methods", quiet)  # noqa: B023

        results.append(run_study(study, file, count))
    with ignore_broken_pipe():
        match output:
            case TheoryFormat.TABLE:
                print(theory_page.plain(results), end="")
            case TheoryFormat.MARKDOWN:
                print(theory_page.markdown(results), end="")
            case TheoryFormat.JSON:
                print(theory_page.to_json(file.name, results), end="")
