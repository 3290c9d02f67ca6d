"""The option ``--validate`` of ``liecbench predict``: predict every measured row of results, and print the errors."""

from pathlib import Path
from typing import TYPE_CHECKING

from liecbench.console.console import ignore_broken_pipe
from liecbench.errors import LiecbenchError

if TYPE_CHECKING:
    from liecbench.prediction.transport_costs import TransportCosts


def validate_results(results: Path, profile: Path | None, costs: "TransportCosts", output: str) -> None:
    """Print the errors of predictions for all measured rows.

    Args:
        results: The results directory.
        profile: The profile's file; None to take those that the run stored.
        costs: The transport's constants.
        output: The format: ``table``, ``markdown`` or ``json``.
    """
    from liecbench.prediction.validation import StepPredictor, load_comparison, stored_profiles, validate
    from liecbench.profiles.profile_file import read_profile
    from liecbench.report import validation_table

    if output == "csv":
        raise LiecbenchError("--format csv: the error table has no such format", "give table, markdown or json")
    profiles = [(str(profile), read_profile(profile))] if profile is not None else stored_profiles(results)
    found = validate(load_comparison(results), StepPredictor(profiles, costs))
    render = {"table": validation_table.plain, "markdown": validation_table.markdown, "json": validation_table.to_json}
    with ignore_broken_pipe():
        print(render[output](found, costs), end="")
