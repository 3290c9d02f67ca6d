"""Compare two sides, A and B, by pairs of timings: one of A and one of B, taken one after the other.

A launch keeps the ranks of both sides running while it measures pairs. A case is a cell of A and the cell of B that it
is compared with. Pairs of a case are measured in one launch after another, until the case needs no more pairs or is
given up.
"""

import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from liecbench.check.paired.cases import Case
from liecbench.check.paired.conclusion import conclude
from liecbench.check.paired.pair_sampler import BURST_SECONDS, STEP, MeasuredCase, PairSampler
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.side import LostError, ResidentSide, Side, StartError, UnknownError
from liecbench.check.paired.stopping import is_complete, is_relaunch_complete
from liecbench.host.scratch_directory import scratch_directory


class PairedComparison:
    """A comparison of the times that two sides, A and B, take in each case.

    The ranks of a side run with the side's interpreter and environment variables. For example, the interpreters of
    sides A and B may have different versions of liecbench installed.

    Args:
        cases: The cases. A case is a cell of side A and the cell of side B that is compared with it.
        sides: Side A and side B, in this order.
        rule: The rule that decides on each metric of each case.
        order_seed: Random seed that decides, for each pair of timings, whether A or B is measured first.
        stall_timeout_seconds: Seconds without an answer after which a side's ranks count as lost.
        say: Called with each line of progress.
        burst_seconds: The least time, in seconds, that a burst (series of steps) should take on the faster side. The
            number of steps of a burst is chosen accordingly.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        sides: tuple[Side, Side],
        rule: StoppingRule,
        *,
        order_seed: int,
        stall_timeout_seconds: float,
        say: Callable[[str], None],
        burst_seconds: float = BURST_SECONDS,
    ) -> None:
        self.measured = [MeasuredCase(case=case) for case in cases]
        self._sides, self._rule, self._say = sides, rule, say
        self._order = random.Random(order_seed)  # noqa: S311 - no secret
        self._stall_timeout_seconds, self._burst_seconds = stall_timeout_seconds, burst_seconds

    @property
    def num_tests(self) -> int:
        """The number of statistical tests whether side B is slower than side A: one per case and metric.

        Until the first pair of a case has been measured, the case counts as one test.
        """
        return sum(max(1, len(measured.tests())) for measured in self.measured)

    def run(self) -> None:
        """Launch both sides repeatedly until each case is decided, is given up, or has ``rule.most_pairs`` pairs."""
        relaunch = 0
        while remaining := [measured for measured in self.measured if not self._is_complete(measured)]:
            groups: dict[tuple[object, ...], list[MeasuredCase]] = {}
            for measured in remaining:
                groups.setdefault(measured.case.launch_key, []).append(measured)
            for group in groups.values():
                self._relaunch(group, relaunch)
            relaunch += 1

    def _is_complete(self, measured: MeasuredCase) -> bool:
        tests = [test.pairs for test in measured.tests()]
        return measured.is_given_up or is_complete(tests, self._rule, self.num_tests)

    def _relaunch(self, group: Sequence[MeasuredCase], relaunch: int) -> None:
        """Launch sides A and B, and measure as many pairs of each case in ``group`` as one launch should measure.

        If a side is lost, launch both sides again for the unfinished cases that are not given up.

        Args:
            group: Cases that one launch can measure.
            relaunch: The number of the launch, from 0. If a side is lost, the next launch keeps this number.
        """
        remaining = list(group)
        while remaining:
            with scratch_directory("check") as directory:
                try:
                    self._measure(remaining, relaunch, directory)
                except LostError as error:
                    self._say(str(error))
                    for measured in remaining if isinstance(error, StartError) else remaining[:1]:
                        measured.failures.append(str(error))
                remaining = [measured for measured in remaining if not measured.is_given_up]

    def _measure(self, remaining: list[MeasuredCase], relaunch: int, directory: Path) -> None:
        """Launch sides A and B, and measure pairs of timings for each case in ``remaining``.

        Remove a case from ``remaining`` when it needs no more pairs from this launch, or when a side does not know an
        algorithm or option of the case.

        ``relaunch`` is the number of this launch, from 0. ``directory`` is where the launch keeps its files.
        """
        with contextlib.ExitStack() as stack:
            residents: dict[str, ResidentSide] = {}
            for side in self._sides if relaunch % 2 == 0 else self._sides[::-1]:
                cells = [measured.case.a if side.name == "A" else measured.case.b for measured in remaining]
                self._say(f"relaunch {relaunch + 1}: starting {side.name} ({side.label})")
                resident = ResidentSide(side, cells, directory, lambda: self._stall_timeout_seconds, self._say)
                residents[side.name] = stack.enter_context(resident)
                resident.start()
            for resident in residents.values():
                resident.wait()
            while remaining:
                self._measure_case(remaining[0], relaunch, residents)
                remaining.pop(0)

    def _measure_case(self, measured: MeasuredCase, relaunch: int, residents: Mapping[str, ResidentSide]) -> None:
        sampler = PairSampler(measured, residents["A"], residents["B"], self._order, self._burst_seconds)
        try:
            sampler.measure(relaunch, lambda measured: self._is_relaunch_complete(measured, relaunch))
        except UnknownError as error:
            measured.unknown = str(error)
        else:
            self._say_progress(measured)

    def _is_relaunch_complete(self, measured: MeasuredCase, relaunch: int) -> bool:
        tests = [test.pairs for test in measured.tests()]
        return is_relaunch_complete(tests, relaunch, self._rule, self.num_tests)

    def _say_progress(self, measured: MeasuredCase) -> None:
        for result in conclude(measured.tests(), self._rule):
            name = "" if result.metric == STEP else f" {result.metric.removesuffix('_seconds').replace('_', ' ')}"
            evidence = result.evidence
            assert evidence is not None, "a paired result has evidence"
            weight = f"evidence for slower {evidence.slower:.3g}, for within {evidence.within:.3g}"
            num_pairs = result.decided_after or len(result.pairs)
            self._say(f"  {result.cell}{name}: {result.change or 0.0:+.1%} after {num_pairs} pairs, {weight}")
