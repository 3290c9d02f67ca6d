"""Results of a check: a verdict per cell and metric, metrics that are only printed, and the exit code."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

from liecbench.errors import ExitCode

# Communication time ÷ the time that its bytes need at the link's rate. This ratio is the only metric of time that can
# fail a check against a stored baseline.
COMMUNICATION_OVER_WIRE: Final = "communication_over_wire"


class Verdict(StrEnum):
    """The verdict on one metric of one cell."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The mean step times of two bursts of steps, one burst on A and one on B, measured one after the other.

    Attributes:
        relaunch: Number of the relaunch in which the pair was measured, from 0. Each relaunch starts the ranks of both
            sides anew.
        order: ``AB`` if A's burst came first, ``BA`` if B's did.
        a_seconds: Mean seconds per step on A's slowest rank.
        b_seconds: Mean seconds per step on B's slowest rank.
        noise: Signs of other load on the machine during the pair. ``"steal"``: share of processor time that the
            hypervisor gave to other virtual machines. ``"pressure"``, if the kernel counts it: share of time in which a
            task waited for a processor. ``"wall_over_cpu"``: wall time ÷ CPU time of the ranks' computation.
    """

    relaunch: int
    order: Literal["AB", "BA"]
    a_seconds: float
    b_seconds: float
    noise: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Evidence of a paired comparison for two claims on how much slower side B is than side A.

    An E-value is computed for each claim after each pair, and the largest one so far is kept. An E-value of 1 is no
    evidence for the claim, and a larger one is stronger evidence.

    Attributes:
        slower: The largest E-value for the claim that B is slower by more than ``StoppingRule.tolerance``.
        within: The largest E-value for the claim that B is slower by less than ``StoppingRule.bound``.
    """

    slower: float
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The verdict on one metric of one cell, and the figures behind it.

    Attributes:
        cell: The cell's name.
        metric: The metric's name, such as ``step_seconds``.
        verdict: The verdict.
        reason: The reason of the verdict, as text for the user.
        unit: ``relative`` if ``change`` is a relative change, ``points`` if it is a difference of two fractions,
            ``nats`` if it is a difference of two test losses.
        baseline: Value of the stored baseline, or of side A in a paired comparison; None if nothing was compared.
        current: Value of the checked results, or of side B in a paired comparison; None if nothing was compared.
        change: Estimated change from ``baseline`` to ``current``, in ``unit``; None if it is undefined.
        low: Lower confidence bound of ``change``; None if there is none.
        high: Upper confidence bound of ``change``; None if there is none.
        evidence: E-values of a paired comparison; None in a check against a stored baseline.
        smallest_detectable: Smallest change for the worse that the check could have found; None if unknown or infinite.
            In a paired comparison, the smallest slowdown that the largest allowed number of pairs could have found.
        noisy: True if the ranks' computation had to wait for a processor in over a fifth of the pairs.
        pairs: The measurements of a paired comparison; empty in a check against a stored baseline.
        decided_after: The number of pairs after which a paired comparison had the verdict PASS or FAIL. All figures of
            the result are those of these pairs. None if they are those of all ``pairs``.
        never_compared: True if no baseline could make the metric comparable for such a cell. An example are numbers
            that vary from run to run on a GPU.
    """

    cell: str
    metric: str
    verdict: Verdict
    reason: str
    unit: Literal["relative", "points", "nats"] = "relative"
    baseline: float | None = None
    current: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    evidence: Evidence | None = None
    smallest_detectable: float | None = None
    noisy: bool = False
    pairs: tuple[Pair, ...] = ()
    decided_after: int | None = None
    never_compared: bool = False

    @property
    def gates_time(self) -> bool:
        """True if a time was compared, so that the check can fail because of a time.

        A paired comparison compares step times. A check against a stored baseline compares only one metric of time,
        ``communication_over_wire``: the communication time ÷ the time that its bytes need at the link's rate.
        """
        compared = self.verdict is not Verdict.NOT_COMPARED
        return compared and (bool(self.pairs) or self.metric == COMMUNICATION_OVER_WIRE)


@dataclass(frozen=True, slots=True, kw_only=True)
class UngatedMetric:
    """A metric of one cell that is printed but never changes the verdict."""

    cell: str
    metric: str
    baseline: float
    current: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCell:
    """A cell that failed, so that it could not be compared.

    Attributes:
        cell: The cell's name.
        reason: Why the cell failed; lines after the first are the end of the ranks' log.
    """

    cell: str
    reason: str

    def __str__(self) -> str:
        return f"{self.cell}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that a check found.

    Attributes:
        results: One result per cell and metric.
        ungated: Metrics that are printed but never change the verdict.
        failed_cells: The cells that failed.
        notes: Remarks on the whole check.
        settings: Names of the compared sides, and the settings of the check, such as its margins.
        require_all: True if results that could have been compared, but were not, make the check inconclusive. A result
            could have been compared if its ``never_compared`` is False.
    """

    results: tuple[CheckResult, ...]
    ungated: tuple[UngatedMetric, ...] = ()
    failed_cells: tuple[FailedCell, ...] = ()
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    require_all: bool = False

    def count(self, verdict: Verdict) -> int:
        """Return the number of results with this verdict."""
        return sum(result.verdict is verdict for result in self.results)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the check, by the first case that applies.

        - REGRESSION: A result failed.
        - CELL_FAILED: A cell failed.
        - NOTHING_TO_COMPARE: There is no result, or all results have the verdict NOT_COMPARED.
        - INCONCLUSIVE: A result is inconclusive, or ``lacks_comparisons`` is True.
        - DONE: Any other case. At least one result passed.
        """
        if self.count(Verdict.FAIL):
            return ExitCode.REGRESSION
        if self.failed_cells:
            return ExitCode.CELL_FAILED
        if not self.count(Verdict.PASS) + self.count(Verdict.INCONCLUSIVE):
            return ExitCode.NOTHING_TO_COMPARE
        return ExitCode.INCONCLUSIVE if self.count(Verdict.INCONCLUSIVE) or self.lacks_comparisons else ExitCode.DONE

    @property
    def lacks_comparisons(self) -> bool:
        """True if ``require_all`` is set and at least one result that could have been compared was not."""
        skipped = (one for one in self.results if one.verdict is Verdict.NOT_COMPARED)
        return self.require_all and not all(one.never_compared for one in skipped)


_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_COMPARED, Verdict.PASS)


def worst_first(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Return the results sorted by verdict (failures first), and within a verdict by size of change (largest first)."""
    return sorted(results, key=lambda result: (_WORST_FIRST.index(result.verdict), -abs(result.change or 0.0)))
