"""Results of a check: a verdict per cell and metric, figures that are never gated, and the exit code."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from liecbench.errors import ExitCode


class Verdict(StrEnum):
    """The verdict on one metric of one cell."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One burst of A's steps and one of B's, measured one after the other.

    Attributes:
        relaunch: Number of the launch of both sides, from 0.
        order: The side that went first, then the other one.
        a_seconds: Time of A's slowest rank.
        b_seconds: Time of B's slowest rank.
        noise: Load on the machine during the pair, by name.
    """

    relaunch: int
    order: Literal["AB", "BA"]
    a_seconds: float
    b_seconds: float
    noise: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """E-values, each the largest over all looks at the pairs.

    Attributes:
        slower: Evidence that B is slower than A by more than the tolerance.
        within: Evidence that B is slower than A by less than the bound.
    """

    slower: float
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The verdict on one metric of one cell, and the figures behind it.

    Attributes:
        cell: The cell's name.
        metric: The metric's name, with its unit.
        verdict: The verdict.
        reason: The verdict's reason, for people.
        unit: ``relative`` if ``change`` is current ÷ baseline − 1, ``points`` if it is a difference of fractions.
        baseline: The baseline's value, or A's.
        current: The value compared with it, or B's.
        change: The estimated change.
        low: Lower end of the change's interval; None if it has none.
        high: Upper end of the change's interval; None if it has none.
        evidence: E-values of a paired comparison.
        smallest_detectable: The smallest change that this check could have found; None if unknown or infinite.
        noisy: True if computing had to wait for a processor in many pairs.
        pairs: The raw measurements of a paired comparison.
    """

    cell: str
    metric: str
    verdict: Verdict
    reason: str
    unit: Literal["relative", "points"] = "relative"
    baseline: float | None = None
    current: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    evidence: Evidence | None = None
    smallest_detectable: float | None = None
    noisy: bool = False
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UngatedMetric:
    """A figure that is printed for the reader and never decides anything."""

    cell: str
    metric: str
    baseline: float
    current: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that a check found.

    Attributes:
        results: One result per cell and metric.
        ungated: Figures that are printed and never gated.
        failed_cells: Cells that could not be measured, each with the reason.
        notes: Remarks on the whole check.
        settings: What was compared, and the check's settings: margins, seeds.
    """

    results: tuple[CheckResult, ...]
    ungated: tuple[UngatedMetric, ...] = ()
    failed_cells: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def count(self, verdict: Verdict) -> int:
        """Return the number of results with this verdict."""
        return sum(result.verdict is verdict for result in self.results)

    @property
    def exit_code(self) -> ExitCode:
        """The command's exit code; if nothing was measured, it is never that of a pass."""
        if self.count(Verdict.FAIL):
            return ExitCode.REGRESSION
        if self.failed_cells:
            return ExitCode.CELL_FAILED
        if not self.count(Verdict.PASS) + self.count(Verdict.INCONCLUSIVE):
            return ExitCode.NOTHING_TO_COMPARE
        return ExitCode.INCONCLUSIVE if self.count(Verdict.INCONCLUSIVE) else ExitCode.DONE


_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_COMPARED, Verdict.PASS)


def worst_first(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Return the results sorted by verdict, failures first, and within a verdict by the size of the change."""
    return sorted(results, key=lambda result: (_WORST_FIRST.index(result.verdict), -abs(result.change or 0.0)))
