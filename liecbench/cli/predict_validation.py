"""The option ``--validate`` of ``liecbench predict``: compare predictions with measured step times and break-evens."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from liecbench.console.console import ignore_broken_pipe
from liecbench.errors import LiecbenchError

# The parameters of the command that have an effect together with --validate.
_USED: Final = frozenset({"validate", "profile", "transport", "output"})

if TYPE_CHECKING:
    from liecbench.prediction.transport_costs import TransportCosts


def refuse_other_options(context: typer.Context) -> None:
    """Raise LiecbenchError if the command line has an option that has no effect together with ``--validate``."""
    given = [
        parameter.opts[0] if parameter.opts[0].startswith("-") else str(parameter.metavar or parameter.name)
        for parameter in context.command.params
        if parameter.name not in _USED and _is_given(context, parameter.name)
    ]
    if given:
        message = f"{', '.join(given)}: --validate predicts what was measured, with the settings of the run"
        raise LiecbenchError(message, f"remove {'it' if len(given) == 1 else 'them'}, or --validate")


def _is_given(context: typer.Context, name: str | None) -> bool:
    source = context.get_parameter_source(name or "")
    return source is not None and source.name == "COMMANDLINE"


def validate_results(results: Path, profile: Path | None, costs: "TransportCosts", output: str) -> None:
    """Predict all measured rows of a results directory, and print the errors of the predictions.

    Args:
        results: The results directory.
        profile: The profile's file; None to use the profiles that the run stored.
        costs: The constants of the transport that the predictions use, such as the seconds per message.
        output: The format: ``table``, ``markdown`` or ``json``.
    """
    from liecbench.prediction.measured_steps import comparison_with_added
    from liecbench.prediction.step_predictor import StepPredictor, stored_profiles
    from liecbench.prediction.validation import validate
    from liecbench.profiles.profile_file import read_profile
    from liecbench.report import validation_table

    if output == "csv":
        raise LiecbenchError("--format csv: the error table has no such format", "give table, markdown or json")
    profiles = [(str(profile), read_profile(profile))] if profile is not None else stored_profiles(results)
    found = validate(comparison_with_added(results), StepPredictor(profiles, costs))
    render = {"table": validation_table.plain, "markdown": validation_table.markdown, "json": validation_table.to_json}
    with ignore_broken_pipe():
        print(render[output](found, costs), end="")
