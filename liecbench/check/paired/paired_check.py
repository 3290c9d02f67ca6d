"""The paired checks of `liecbench check`: two scenarios, two git revisions, two Python interpreters, or a self-test."""

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liecbench.check.paired.cases import Case, cases_of
from liecbench.check.paired.interpreters import NO_PYTHONPATH, inspect
from liecbench.check.paired.paired_outcome import outcome
from liecbench.check.paired.revisions import built
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.self_test import self_test_cases, verdict_on_gate
from liecbench.check.paired.session import PairedComparison
from liecbench.check.paired.side import Side
from liecbench.check.verdict import Outcome
from liecbench.config.cell import Cell
from liecbench.config.loader import load_scenario
from liecbench.config.selection import select
from liecbench.diagnostics.link_support import require_emulator
from liecbench.errors import LiecbenchError
from liecbench.estimate.cost import stall_timeout
from liecbench.launch.gpu_requirements import require_cuda
from liecbench.launch.runner import check_sharing
from liecbench.worker.paired_worker import PROTOCOL


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChosenCells:
    """The cells of a scenario that a paired check measures, and the scenario's ``step_timeout`` in seconds."""

    # The cells have only the options that the scenario sets. Sides A and B may run different versions of liecbench, and
    # each adds the defaults of its own version.
    cells: list[Cell]
    step_timeout: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCheck:
    """The settings of a paired check, which compares two sides, A and B.

    Each kind of paired check is a function of this class, such as ``scenarios`` or ``revisions``.

    Attributes:
        rule: The rule that decides on each metric of each cell.
        order_seed: Seed of the RNG that draws, for each pair of measurements, whether A or B is measured first.
        only: Conditions ``KEY=VALUE`` that choose cells.
        assignments: Overrides ``PATH=VALUE`` of the scenario.
        variables: The environment variables to set for A's processes, then those to set for B's processes.
        share_gpus: True if several NCCL ranks may share a GPU.
        say: Called with each line of progress.
    """

    rule: StoppingRule
    order_seed: int
    only: Sequence[str] = ()
    assignments: Sequence[str] = ()
    variables: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {})
    share_gpus: bool = False
    say: Callable[[str], None]

    def scenarios(self, a: Path, b: Path) -> Outcome:
        """Compare the speed and traffic of the scenario files ``a`` and ``b``.

        The first cell of ``a`` is compared with the first cell of ``b``, the second with the second, and so on. Of
        cells that differ only in the seed, only the first counts.
        """
        cells_a, cells_b = self._choose(a, b)
        return self._compare(cells_a, cells_b, self._sides((str(a), sys.executable), (str(b), sys.executable)))

    def pythons(self, scenario: Path, a: str, b: str) -> Outcome:
        """Compare two Python interpreters, which may have different versions of liecbench and torch installed.

        Both interpreters run the cells of ``scenario``. ``a`` and ``b`` are paths of interpreters, such as
        ``env/bin/python``, or commands in PATH.
        """
        (chosen,) = self._choose(scenario)
        found = [inspect(python, PROTOCOL) for python in (a, b)]
        old, new = ((f"{each.path}: liecbench {each.liecbench}, torch {each.torch}", str(each.path)) for each in found)
        return self._compare(chosen, chosen, self._sides(old, new, NO_PYTHONPATH))

    def revisions(self, scenario: Path, a: str, b: str) -> Outcome:
        """Compare two git revisions of the project that contains the working directory.

        Both revisions run the cells of ``scenario``. ``a`` and ``b`` are commits, branches or tags, such as ``main``.
        Each revision is installed in a virtual environment of its own.
        """
        (chosen,) = self._choose(scenario)
        with built([a, b], self.say) as revisions:
            for revision in revisions:
                inspect(revision.python, PROTOCOL, name=str(revision))
            old, new = ((str(revision), str(revision.python)) for revision in revisions)
            return self._compare(chosen, chosen, self._sides(old, new, NO_PYTHONPATH))

    def self_test(self) -> Outcome:
        """Test the paired check itself: identical code must pass, and an injected slowdown must fail."""
        cases, notes = self_test_cases()
        here = ("this installation", sys.executable)
        return verdict_on_gate(self._run(cases, self._sides(here, here), None), notes)

    def _choose(self, *paths: Path) -> list[_ChosenCells]:
        """Return the chosen cells of each of the scenario files ``paths``.

        The cells are those that meet the user's conditions, such as ``algorithm=liec``. Raises LiecbenchError if no
        cell meets the conditions, if the scenario trains no model, or if this machine alone cannot run the cells.
        """
        chosen = list(map(self._choose_from, paths))
        if self.share_gpus:
            check_sharing(cell for each in chosen for cell in each.cells)
        return chosen

    def _choose_from(self, path: Path) -> _ChosenCells:
        choose = functools.partial(select, conditions=self.only)
        scenario = load_scenario(path, self.assignments, choose).measured()
        if not scenario.is_trained:
            message = (
                f"{path}: task.profile: ranks sleep as long as the profile says, and a paired check times real code"
            )
            raise LiecbenchError(message, "give a scenario with a dataset and a model")
        cells = choose(scenario.cells())
        require_emulator((cell.link, cell.emulator) for cell in cells if cell.enforcement == "kernel")
        if any(cell.link.host for cell in cells):
            message = f"{path}: link: host spans several machines, and a paired check runs on one"
            raise LiecbenchError(message, "choose other cells with --only")
        require_cuda(cells, share_gpus=self.share_gpus)
        written = scenario.as_written()
        return _ChosenCells(cells=[written[cell.id] for cell in cells], step_timeout=scenario.step_timeout)

    def _sides(
        self, a: tuple[str, str], b: tuple[str, str], variables: Mapping[str, str] | None = None
    ) -> tuple[Side, Side]:
        """Return sides A and B.

        Args:
            a: The label and the interpreter of side A.
            b: The label and the interpreter of side B.
            variables: Environment variables to set for both sides; each side's own variables override them.
        """
        own_a, own_b = ({**(variables or {}), **own} for own in self.variables)
        return (
            Side(name="A", label=a[0], python=a[1], variables=own_a, share_gpus=self.share_gpus),
            Side(name="B", label=b[0], python=b[1], variables=own_b, share_gpus=self.share_gpus),
        )

    def _compare(self, a: _ChosenCells, b: _ChosenCells, sides: tuple[Side, Side]) -> Outcome:
        timeouts = [chosen.step_timeout for chosen in (a, b) if chosen.step_timeout is not None]
        return self._run(cases_of(a.cells, b.cells), sides, max(timeouts, default=None))

    def _run(self, cases: Sequence[Case], sides: tuple[Side, Side], step_timeout: float | None) -> Outcome:
        cells = {cell.id: cell for case in cases for cell in (case.a, case.b)}
        seconds = max(map(stall_timeout(cells, step_timeout), cells))
        comparison = PairedComparison(
            cases, sides, self.rule, order_seed=self.order_seed, stall_timeout_seconds=seconds, say=self.say
        )
        comparison.run()
        return outcome(comparison, self.rule, self._settings(sides))

    def _settings(self, sides: tuple[Side, Side]) -> dict[str, Any]:
        """Return, by name, the settings of the check and of its sides that the outcome reports.

        Only the names of the sides' environment variables are listed, not their values.
        """
        names = ("tolerance", "bound", "alpha", "beta", "most_pairs", "fewest_relaunches")
        rule = {name: getattr(self.rule, name) for name in names}
        own = {f"variables_{side.name.lower()}": sorted(side.variables) for side in sides if side.variables}
        return {"a": sides[0].label, "b": sides[1].label, **rule, "order_seed": self.order_seed, **own}
