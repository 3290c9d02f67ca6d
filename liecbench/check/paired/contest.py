"""A against B, from what a command names to the outcome: scenarios, git revisions, interpreters, or the gate itself."""

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liecbench.check.paired import self_test
from liecbench.check.paired.cases import cases_of
from liecbench.check.paired.interpreters import ALONE, inspect
from liecbench.check.paired.revisions import built
from liecbench.check.paired.session import Case, Match, outcome
from liecbench.check.paired.side import Side
from liecbench.check.paired.stopping import Gate
from liecbench.check.verdict import Outcome
from liecbench.config.cell import Cell
from liecbench.config.loader import load_scenario
from liecbench.config.selection import select
from liecbench.diagnostics.doctor import require_netem
from liecbench.errors import LiecbenchError
from liecbench.estimate.cost import stall_timeout
from liecbench.launch.gpu_requirements import require_cuda
from liecbench.launch.runner import check_sharing
from liecbench.worker.paired_worker import PROTOCOL


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """A scenario's cells as they were written: each side fills in the defaults of its own version."""

    cells: list[Cell]
    step_timeout: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """How A and B are compared: which cells, by which gate, with whose turn first, and who is told."""

    gate: Gate
    seed: int
    only: Sequence[str]
    assignments: Sequence[str]
    variables: tuple[Mapping[str, str], Mapping[str, str]]
    share_gpus: bool
    say: Callable[[str], None]

    def scenarios(self, a: Path, b: Path) -> Outcome:
        """Two scenarios, cell by cell."""
        ours, theirs = self._chosen(a, b)
        return self._play(ours, theirs, self._sides((str(a), sys.executable), (str(b), sys.executable)))

    def pythons(self, scenario: Path, a: str, b: str) -> Outcome:
        """Two interpreters, each with its own installation."""
        (chosen,) = self._chosen(scenario)
        found = [inspect(python, PROTOCOL) for python in (a, b)]
        old, new = ((f"{each.path}: liecbench {each.liecbench}, torch {each.torch}", str(each.path)) for each in found)
        return self._play(chosen, chosen, self._sides(old, new, ALONE))

    def revisions(self, scenario: Path, a: str, b: str) -> Outcome:
        """Two revisions of the repository around the working directory, each installed by itself."""
        (chosen,) = self._chosen(scenario)
        with built([a, b], self.say) as revisions:
            for revision in revisions:
                inspect(revision.python, PROTOCOL, name=str(revision))
            old, new = ((str(revision), str(revision.python)) for revision in revisions)
            return self._play(chosen, chosen, self._sides(old, new, ALONE))

    def itself(self) -> Outcome:
        """The gate on identical code, and on a slowdown that is put in."""
        cases, notes = self_test.cases()
        here = ("this installation", sys.executable)
        return self_test.judged(self._match(cases, self._sides(here, here), None), notes)

    def _chosen(self, *paths: Path) -> "list[_Chosen]":
        """What each scenario asks for; LiecbenchError for what cannot be."""
        chosen = list(map(self._chosen_of, paths))
        if self.share_gpus:
            check_sharing(cell for each in chosen for cell in each.cells)
        return chosen

    def _chosen_of(self, path: Path) -> "_Chosen":
        choose = functools.partial(select, conditions=self.only)
        scenario = load_scenario(path, self.assignments, choose)
        cells = choose(scenario.cells())
        require_netem(cell.link for cell in cells if cell.enforcement == "kernel")
        if any(cell.link.host for cell in cells):
            raise LiecbenchError(f"{path}: link: host cannot take turns", "choose other cells with --only")
        require_cuda(cells, share_gpus=self.share_gpus)
        written = scenario.as_written()
        return _Chosen(cells=[written[cell.id] for cell in cells], step_timeout=scenario.step_timeout)

    def _sides(
        self, a: tuple[str, str], b: tuple[str, str], variables: Mapping[str, str] | None = None
    ) -> tuple[Side, Side]:
        """From each side's label and interpreter; ``variables`` are of both, under each one's own."""
        own_a, own_b = ({**(variables or {}), **own} for own in self.variables)
        return (
            Side(name="A", label=a[0], python=a[1], variables=own_a, share_gpus=self.share_gpus),
            Side(name="B", label=b[0], python=b[1], variables=own_b, share_gpus=self.share_gpus),
        )

    def _play(self, a: "_Chosen", b: "_Chosen", sides: tuple[Side, Side]) -> Outcome:
        timeouts = [chosen.step_timeout for chosen in (a, b) if chosen.step_timeout is not None]
        return self._match(cases_of(a.cells, b.cells), sides, max(timeouts, default=None))

    def _match(self, cases: Sequence[Case], sides: tuple[Side, Side], step_timeout: float | None) -> Outcome:
        cells = {cell.id: cell for case in cases for cell in (case.a, case.b)}
        seconds = max(map(stall_timeout(cells, step_timeout), cells))
        match = Match(cases, sides, self.gate, seed=self.seed, stall_seconds=seconds, say=self.say)
        match.play()
        return outcome(match, self.gate, self._settings(sides))

    def _settings(self, sides: tuple[Side, Side]) -> dict[str, Any]:
        """What the outcome rests on; of the variables the names alone."""
        gate = {name: getattr(self.gate, name) for name in ("tolerance", "bound", "alpha", "beta", "most_pairs")}
        own = {f"variables_{side.name.lower()}": sorted(side.variables) for side in sides if side.variables}
        return {"a": sides[0].label, "b": sides[1].label, **gate, "coin_seed": self.seed, **own}
