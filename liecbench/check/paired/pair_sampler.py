"""Measurement of one case of a paired comparison: pairs of bursts, one on side A and one on side B.

A case is a cell of A and the cell of B that it is compared with. A burst is a series of consecutive steps; both bursts
of a pair train the same steps, one after the other.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from liecbench.check.paired.cases import Case
from liecbench.check.paired.conclusion import PairedTest
from liecbench.check.paired.side import ResidentSide, UnknownError
from liecbench.check.verdict import Pair
from liecbench.errors import LiecbenchError
from liecbench.host.cpu_load import CpuLoad
from liecbench.launch.events import BurstResult, Opened

STEP: Final = "step_seconds"
MOST_ATTEMPTS: Final = 2
BURST_SECONDS: Final = 0.5
_FEWEST_STEPS = 15
_LONGEST_PERIOD = 10_000


@dataclass(slots=True, kw_only=True)
class MeasuredCase:
    """The measurements so far of one case.

    A case is a cell of side A and the cell of side B that it is compared with.

    Attributes:
        case: The case.
        pairs: The pairs measured so far, by the metric's name, such as ``step_seconds``. Each pair has a time on A and
            a time on B.
        last: Results of the last burst (series of steps) on A and on B; None before the first pair.
        environments: Environment that each side reported, with the keys ``"a"`` and ``"b"``.
        rare_kinds: Step kinds whose time is a metric of its own, such as averaging steps; None before the first pair.
        failures: The reason of each failed attempt to measure the case.
        unknown: The error message if a side's version of liecbench does not know a name or an option of the cell, else
            None.
    """

    case: Case
    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    last: tuple[BurstResult, BurstResult] | None = None
    environments: dict[str, Any] = field(default_factory=dict)
    rare_kinds: list[str] | None = None
    failures: list[str] = field(default_factory=list)
    unknown: str | None = None

    @property
    def is_given_up(self) -> bool:
        """True if no more pairs of the case are measured, because it failed too often or a side cannot build it."""
        return self.unknown is not None or len(self.failures) >= MOST_ATTEMPTS

    def tests(self) -> list[PairedTest]:
        """Return, for each metric, a test whether side B is slower than side A, with the pairs measured so far.

        A metric is a mean step time, such as ``step_seconds`` over all steps. A pair holds the metric for one burst on
        A and for one burst on B. The list is empty before the first pair.
        """
        return [
            PairedTest(cell=self.case.label, metric=metric, pairs=tuple(pairs)) for metric, pairs in self.pairs.items()
        ]


class PairSampler:
    """Measures pairs of one case: for each pair, one burst (series of steps) on side A and one on side B.

    Args:
        measured: The case; ``measure`` adds pairs to it.
        a: The ranks of side A.
        b: The ranks of side B.
        order: Random number generator that decides for each pair whether A or B goes first.
        burst_seconds: A burst has enough steps to take at least this many seconds on the faster side.
    """

    def __init__(
        self,
        measured: MeasuredCase,
        a: ResidentSide,
        b: ResidentSide,
        order: random.Random,
        burst_seconds: float = BURST_SECONDS,
    ) -> None:
        self._measured, self._a, self._b, self._order = measured, a, b, order
        self._burst_seconds = burst_seconds
        self._added_seconds: dict[str, float] = {}

    def measure(self, relaunch: int, is_enough: Callable[[MeasuredCase], bool]) -> None:
        """Build the case's models on both sides, measure pairs of step times until ``is_enough``, then free the models.

        Args:
            relaunch: Number of this launch of both sides, from 0.
            is_enough: Called with the case after each pair; if it returns True, the measurement ends.

        Raises:
            UnknownError: If a side's version of liecbench does not know an algorithm or an option that the case uses.
                Both sides can then measure other cases.
            LostError: If the ranks of a side failed. The other side may not have freed its model.
        """
        case = self._measured.case
        opened = self._open(case)
        self._measured.environments = {name: answer.environment for name, answer in zip("ab", opened, strict=True)}
        first, num_steps = self._warm_up(max(answer.first for answer in opened), _common_period(case, opened))
        while True:
            self._measure_pair(relaunch, first, num_steps)
            first += num_steps + 1
            if is_enough(self._measured):
                break
        self._a.close_cell()
        self._b.close_cell()

    def _open(self, case: Case) -> list[Opened]:
        a = self._a.open(case.a)
        try:
            return [a, self._b.open(case.b)]
        except UnknownError:
            self._a.close_cell()
            raise

    def _warm_up(self, first: int, period: int) -> tuple[int, int]:
        """Run one unrecorded burst (series of steps) per side, and choose the number of steps per recorded burst.

        Args:
            first: The number of the step with which both bursts begin.
            period: The least common multiple of the two sides' averaging periods, in steps. The number of timed steps
                of every burst is a multiple of ``period``.

        Returns:
            The number of the step with which the first recorded burst begins, and the number of timed steps per burst.
            (A burst begins with one untimed step.)
        """
        num_steps = period * math.ceil(_FEWEST_STEPS / period)
        a, b = (self._burst(name, first, num_steps) for name in "AB")
        periods = math.ceil(num_steps * max(1.0, self._burst_seconds / min(a.seconds, b.seconds)) / period)
        return first + num_steps + 1, period * periods

    def _measure_pair(self, relaunch: int, first: int, num_steps: int) -> None:
        order: Literal["AB", "BA"] = self._order.choice(("AB", "BA"))
        before = CpuLoad.now()
        answers: dict[str, BurstResult] = {}
        for name in order:
            answers[name] = self._burst(name, first, num_steps)
        a, b = answers["A"], answers["B"]
        noise = {**CpuLoad.now().since(before), "wall_over_cpu": max(a.wall_over_cpu, b.wall_over_cpu)}
        if self._measured.rare_kinds is None:
            self._measured.rare_kinds = _rare_kinds(a, b)
        for metric, (a_seconds, b_seconds) in seconds_by_metric(a, b, self._measured.rare_kinds).items():
            pair = Pair(relaunch=relaunch, order=order, a_seconds=a_seconds, b_seconds=b_seconds, noise=noise)
            self._measured.pairs.setdefault(metric, []).append(pair)
        self._measured.last = (a, b)

    def _burst(self, name: str, first: int, num_steps: int) -> BurstResult:
        if name == "B":
            return self._b.burst(first, num_steps, self._added_seconds)
        a = self._a.burst(first, num_steps)
        # The delay of B's steps is a share of A's latest step times. A share of B's own step times would grow with the
        # time that B's ranks wait for each other; a share of the first burst's step times, which may be slow, would be
        # more than ``slowdown`` asks for.
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
    """Return the step kinds that both bursts have, except the most frequent kind of burst ``a``.

    Steps of a rare kind, such as averaging steps, send more or fewer bytes than most steps. So the time of each rare
    kind is a metric of its own.
    """
    steps: dict[str, int] = a.kind_steps
    commonest = max(sorted(steps), key=lambda kind: steps[kind])
    return [kind for kind in steps if kind != commonest and kind in b.kind_steps]


def seconds_by_metric(a: BurstResult, b: BurstResult, rare_kinds: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return a dict from each metric's name to the mean seconds per step, as (side A, side B).

    The metric ``step_seconds`` is the mean over all steps. Each rare step kind has a metric of its own, such as
    ``averaging_step_seconds``.

    Args:
        a: The burst (series of steps) on side A.
        b: The burst on side B.
        rare_kinds: The rare step kinds. Both bursts must have steps of each of them.
    """
    mean_a, mean_b = (side.seconds / sum(side.kind_steps.values()) for side in (a, b))
    seconds = {STEP: (mean_a, mean_b)}
    for kind in rare_kinds:
        one_a, one_b = (side.kind_seconds[kind] / side.kind_steps[kind] for side in (a, b))
        seconds[f"{kind}_{STEP}"] = (one_a, one_b)
    return seconds
