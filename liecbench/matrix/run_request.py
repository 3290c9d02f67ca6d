"""The arguments of ``liecbench run``, and the start of the process from which ranks are forked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from liecbench.errors import ScenarioError

if TYPE_CHECKING:
    from liecbench.launch.multinode import Nodes

_MOST_DIGITS = 8  # more would be no number of threads, but could make int() raise an error


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The arguments of ``liecbench run``.

    Attributes:
        scenario: The scenario file.
        again: The command or call that continues an interrupted run, for a message to the user.
        out: The results directory; None for ``results/NAME``.
        only: Conditions ``KEY=VALUE`` that the cells to run must meet.
        assignments: Overrides ``PATH=VALUE`` of keys of the scenario.
        fresh: True to refuse a directory that has results.
        isolate: True to launch the workers anew for each cell.
        share_gpus: True to let NCCL ranks share GPUs.
        trace: True to record a timeline of a few steps per cell.
        quiet: True to print no progress.
        num_nodes: The number of machines.
        node_rank: This machine's number, from 0.
        master: The address of machine 0.
    """

    scenario: Path
    again: str
    out: Path | None = None
    only: Sequence[str] = ()
    assignments: Sequence[str] = ()
    fresh: bool = False
    isolate: bool = False
    share_gpus: bool = False
    trace: bool = False
    quiet: bool = False
    num_nodes: int = 1
    node_rank: int = 0
    master: str | None = None

    def nodes(self) -> "Nodes | None":
        """Return the machines of the run; None if ``num_nodes`` is 1.

        Raises LiecbenchError if ``master`` is missing, or if ``master`` or ``node_rank`` is not possible.
        """
        from liecbench.launch.multinode import Nodes

        return Nodes.parse(self.num_nodes, self.node_rank, self.master) if self.num_nodes > 1 else None

    def prepare_ranks(self) -> None:
        """Start the process that ranks are forked from, without waiting until it has imported torch.

        Do nothing if the results directory exists, because then perhaps no cell is left to run.
        """
        from liecbench.launch.launch import prepare

        name, threads = (self._unchecked(key, default) for key, default in (("name", ""), ("threads", 1)))
        if (self.out or Path("results") / name).is_dir():
            return
        prepare(int(threads) if threads.isdecimal() and len(threads) <= _MOST_DIGITS else 1, self.nodes())

    def _unchecked(self, key: str, default: object) -> str:
        """Return the value of a top-level key of the scenario, or ``default``, as text. The scenario is not checked."""
        from liecbench.config.yaml_source import load

        try:
            content = load(self.scenario).data
        except ScenarioError:
            content = {}  # loading the scenario reports the error later
        asked = [text.removeprefix(f"{key}=") for text in self.assignments if text.startswith(f"{key}=")]
        return asked[-1] if asked else str(content.get(key, default))
