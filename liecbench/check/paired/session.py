"""A against B in turns: both stay resident, a coin says who goes first, evidence grows until the answer is known."""

import contextlib
import math
import random
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from liecbench.check.paired.side import LostError, ResidentSide, Side, StartError, UnknownError
from liecbench.check.paired.stopping import Gate, PairedTest, conclude, is_over, is_over_here
from liecbench.check.paired.traffic import traffic_findings, traffic_shown
from liecbench.check.verdict import Finding, Outcome, Pair, Verdict
from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError
from liecbench.host.cpu_load import CpuLoad
from liecbench.launch.launch import launch_key
from liecbench.launch.messages import BurstResult, Opened

STEP: Final = "step_seconds"
_FEWEST_STEPS = 15
_BURST_SECONDS = 0.5
_LONGEST_PERIOD = 10_000
_TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cell of A's and the one of B's that it is compared with; B's steps are drawn out by ``slowdown``."""

    label: str
    a: Cell
    b: Cell
    slowdown: float = 0.0

    @property
    def launch_key(self) -> tuple[object, ...]:
        """What cases must have in common to share residents."""
        return (launch_key(self.a), launch_key(self.b))


@dataclass(slots=True, kw_only=True)
class Measured:
    """What is known of a case so far: pairs by metric, the answers of the last pair, where each side ran.

    Steps of ``rare_kinds``, which the first burst decides, are gated alone. ``unknown`` says why a side cannot have the
    cell, ``failures`` what became of each try.
    """

    case: Case
    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    last: tuple[BurstResult, BurstResult] | None = None
    environments: dict[str, Any] = field(default_factory=dict)
    rare_kinds: list[str] | None = None
    failures: list[str] = field(default_factory=list)
    unknown: str | None = None

    @property
    def lost(self) -> bool:
        """Whether there is no use in going on with it."""
        return self.unknown is not None or len(self.failures) >= _TRIES

    def tests(self) -> list[PairedTest]:
        """One for each metric."""
        return [
            PairedTest(cell=self.case.label, metric=metric, pairs=tuple(pairs)) for metric, pairs in self.pairs.items()
        ]


class Match:
    """A comparison while it runs; ``num_tests`` is what the evidence is held to: every test of every case."""

    def __init__(
        self,
        cases: Sequence[Case],
        sides: tuple[Side, Side],
        gate: Gate,
        *,
        seed: int,
        stall_seconds: float,
        say: Callable[[str], None],
    ) -> None:
        self.measured = [Measured(case=case) for case in cases]
        self._sides, self._gate, self._say = sides, gate, say
        self._coin, self._stall_seconds = random.Random(seed), stall_seconds  # noqa: S311 - no secret

    @property
    def num_tests(self) -> int:
        """Tests gated together; a case that has not begun counts for one."""
        return sum(max(1, len(measured.tests())) for measured in self.measured)

    def play(self) -> None:
        """Relaunch both sides until every case is decided, has failed, or has had all of its pairs."""
        relaunch = 0
        while undecided := [measured for measured in self.measured if not self._over(measured)]:
            groups: dict[tuple[object, ...], list[Measured]] = {}
            for measured in undecided:
                groups.setdefault(measured.case.launch_key, []).append(measured)
            for group in groups.values():
                self._relaunch(group, relaunch)
            relaunch += 1

    def _over(self, measured: Measured) -> bool:
        tests = [test.pairs for test in measured.tests()]
        return measured.lost or is_over(tests, self._gate, self.num_tests)

    def _relaunch(self, group: Sequence[Measured], relaunch: int) -> None:
        """Give every case of the group its pairs; after a failure it is tried again, with new residents."""
        left = list(group)
        while left:
            with tempfile.TemporaryDirectory(prefix="liecbench-check-") as directory:
                try:
                    self._take_turns(left, relaunch, Path(directory))
                except UnknownError as error:
                    left[0].unknown = str(error)
                except LostError as error:
                    self._say(str(error))
                    for measured in left if isinstance(error, StartError) else left[:1]:
                        measured.failures.append(str(error))
                left = [measured for measured in left if not measured.lost]

    def _take_turns(self, left: list[Measured], relaunch: int, directory: Path) -> None:
        with contextlib.ExitStack() as stack:
            residents: dict[str, ResidentSide] = {}
            for side in self._sides if relaunch % 2 == 0 else self._sides[::-1]:
                cells = [measured.case.a if side.name == "A" else measured.case.b for measured in left]
                self._say(f"relaunch {relaunch + 1}: starting {side.name} ({side.label})")
                resident = ResidentSide(side, cells, directory, lambda: self._stall_seconds, self._say)
                residents[side.name] = stack.enter_context(resident)
                resident.start()
            for resident in residents.values():
                resident.wait()
            while left:
                Turns(left[0], residents["A"], residents["B"], self._coin).play(
                    relaunch, lambda measured: self._enough(measured, relaunch)
                )
                self._tell(left[0])
                left.pop(0)

    def _enough(self, measured: Measured, relaunch: int) -> bool:
        """Whether a case has had its pairs of this relaunch."""
        tests = [test.pairs for test in measured.tests()]
        return is_over_here(tests, relaunch, self._gate, self.num_tests)

    def _tell(self, measured: Measured) -> None:
        for finding in conclude(measured.tests(), self._gate):
            name = "" if finding.metric == STEP else f" {finding.metric.removesuffix('_seconds').replace('_', ' ')}"
            evidence = finding.evidence
            assert evidence is not None, "a paired finding has evidence"
            weight = f"evidence for slower {evidence.slower:.3g}, for within {evidence.within:.3g}"
            self._say(
                f"  {finding.cell}{name}: {finding.change or 0.0:+.1%} after {len(finding.pairs)} pairs, {weight}"
            )


class Turns:
    """One case on two residents."""

    def __init__(self, measured: Measured, a: ResidentSide, b: ResidentSide, coin: random.Random) -> None:
        self._measured, self._a, self._b, self._coin = measured, a, b, coin
        self._added_seconds: dict[str, float] = {}

    def play(self, relaunch: int, enough: Callable[[Measured], bool]) -> None:
        """Open the case on both, take pairs until there are enough, close it again."""
        case = self._measured.case
        opened = [self._a.open(case.a), self._b.open(case.b)]
        self._measured.environments = {name: answer.environment for name, answer in zip("ab", opened, strict=True)}
        first, num_steps = self._warm_up(max(answer.first for answer in opened), _common_period(case, opened))
        while True:
            self._pair(relaunch, first, num_steps)
            first += num_steps + 1
            if enough(self._measured):
                break
        self._a.close_cell()
        self._b.close_cell()

    def _warm_up(self, first: int, period: int) -> tuple[int, int]:
        """A burst of each that does not count; where the next one begins, and its steps: whole averaging periods."""
        num_steps = period * math.ceil(_FEWEST_STEPS / period)
        a, b = (self._burst(name, first, num_steps) for name in "AB")
        periods = math.ceil(num_steps * max(1.0, _BURST_SECONDS / min(a.seconds, b.seconds)) / period)
        return first + num_steps + 1, period * periods

    def _pair(self, relaunch: int, first: int, num_steps: int) -> None:
        order: Literal["AB", "BA"] = self._coin.choice(("AB", "BA"))
        before = CpuLoad.now()
        answers: dict[str, BurstResult] = {}
        for name in order:
            answers[name] = self._burst(name, first, num_steps)
        a, b = answers["A"], answers["B"]
        noise = {**CpuLoad.now().since(before), "wall_over_cpu": max(a.wall_over_cpu, b.wall_over_cpu)}
        if self._measured.rare_kinds is None:
            self._measured.rare_kinds = _rare_kinds(a, b)
        for metric, (a_seconds, b_seconds) in seconds_of(a, b, self._measured.rare_kinds).items():
            pair = Pair(relaunch=relaunch, order=order, a_seconds=a_seconds, b_seconds=b_seconds, noise=noise)
            self._measured.pairs.setdefault(metric, []).append(pair)
        self._measured.last = (a, b)

    def _burst(self, name: str, first: int, num_steps: int) -> BurstResult:
        if name == "B":
            return self._b.burst(first, num_steps, self._added_seconds)
        a = self._a.burst(first, num_steps)
        # Drawn out by what A's latest steps took: a share of B's own would grow with what its ranks wait for each
        # other, and one of the first burst's, which may be slow, would slow B down by more than was asked for.
        share = self._measured.case.slowdown
        self._added_seconds = {k: share * s / a.kind_steps[k] for k, s in a.kind_seconds.items() if share}
        return a


def _common_period(case: Case, opened: Sequence[Opened]) -> int:
    periods = [answer.average_period for answer in opened]
    common = math.lcm(*periods)
    if common > _LONGEST_PERIOD:
        message = f"{case.label}: average periods of {periods[0]} and {periods[1]} steps end together after {common:,}"
        raise LiecbenchError(message, "compare periods of which one is a multiple of the other")
    return common


def _rare_kinds(a: BurstResult, b: BurstResult) -> list[str]:
    """Kinds of steps that carry other bytes than most: those of both sides but for the commonest."""
    steps: dict[str, int] = a.kind_steps
    commonest = max(sorted(steps), key=lambda kind: steps[kind])
    return [kind for kind in steps if kind != commonest and kind in b.kind_steps]


def seconds_of(a: BurstResult, b: BurstResult, rare_kinds: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Of all steps of a burst, and of one step of each rare kind."""
    found = {STEP: (a.seconds, b.seconds)}
    for kind in rare_kinds:
        one_a, one_b = (side.kind_seconds[kind] / side.kind_steps[kind] for side in (a, b))
        found[f"{kind}_{STEP}"] = (one_a, one_b)
    return found


def outcome(match: Match, gate: Gate, settings: Mapping[str, Any]) -> Outcome:
    """The verdicts of a match that is over; where both sides have the same cell, bytes and messages are gated."""
    played = [(measured.case, *measured.last) for measured in match.measured if measured.last is not None]
    exact = [finding for case, a, b in played if case.a == case.b for finding in traffic_findings(case.label, a, b)]
    timed = conclude([test for measured in match.measured for test in measured.tests()], gate)
    lost = {measured.case.label for measured in match.measured if measured.lost}
    return Outcome(
        findings=(*exact, *(_unless(lost, finding) for finding in timed), *_unknown(match)),
        shown=tuple(each for case, a, b in played for each in traffic_shown(case.label, a, b, same=case.a == case.b)),
        failed_cells=tuple(f"{m.case.label}: {m.failures[-1]}" for m in match.measured if len(m.failures) >= _TRIES),
        settings={**settings, "cells": {m.case.label: _described(m) for m in match.measured}},
    )


def _unless(lost: Collection[str], finding: Finding) -> Finding:
    """What was measured of a cell that was lost is kept, and decides nothing."""
    if finding.cell not in lost:
        return finding
    return replace(finding, verdict=Verdict.INCONCLUSIVE, reason="the cell was lost before its last pair")


def _unknown(match: Match) -> Iterator[Finding]:
    for measured in match.measured:
        if measured.unknown is not None:
            reason = f"one side does not know it: {measured.unknown}"
            yield Finding(cell=measured.case.label, metric="status", verdict=Verdict.NOT_COMPARED, reason=reason)


def _described(measured: Measured) -> dict[str, Any]:
    case = measured.case
    return {"a": case.a.spec(), "b": case.b.spec(), "environments": measured.environments}
