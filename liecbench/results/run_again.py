"""The command that continues the run of a results directory."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from liecbench.results.directory import SCENARIO_NAME


def run_again(directory: Path, only: Sequence[str], *arguments: str) -> str:
    """Return, in backquotes, the ``liecbench run`` command that continues a run, with more arguments at its end.

    Args:
        directory: The results directory, whose scenario is run.
        only: The conditions of ``--only`` with which the run chose its cells.
        arguments: The words at the end, such as ``--seeds`` and ``10``.
    """
    words = ["liecbench", "run", str(directory / SCENARIO_NAME), "--out", str(directory)]
    words += [*(word for condition in only for word in ("--only", condition)), *arguments]
    return f"`{shlex.join(words)}`"
