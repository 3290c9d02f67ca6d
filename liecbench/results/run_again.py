"""The command that continues the run of a results directory."""

import shlex
from pathlib import Path

from liecbench.results.directory import SCENARIO_NAME


def run_again(directory: Path, *arguments: str) -> str:
    """Return, in backquotes, the ``liecbench run`` command that continues a run, with more arguments at its end.

    Args:
        directory: The results directory, whose scenario is run.
        arguments: The words at the end, such as ``--seeds`` and ``10``.
    """
    words = ["liecbench", "run", str(directory / SCENARIO_NAME), "--out", str(directory), *arguments]
    return f"`{shlex.join(words)}`"
