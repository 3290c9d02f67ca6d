"""What a gate finds: a verdict for each cell and metric, what is only shown, and the exit code of it all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from liecbench.errors import ExitCode


class Verdict(StrEnum):
    """What is known of one metric of one cell."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A burst of A and one of B, taken in turns; the seconds of a rank's slowest way through each.

    ``order`` is what the coin said; ``noise`` what the machine did meanwhile.
    """

    relaunch: int
    order: Literal["AB", "BA"]
    a_seconds: float
    b_seconds: float
    noise: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """E-values, the largest over all looks: for 'slower than the tolerance', and for 'within the bound'."""

    slower: float
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The verdict on one metric of one cell, and all that it rests on.

    ``change`` is relative, current ÷ baseline − 1 (``B ÷ A − 1``), or a difference of fractions where ``unit`` is
    ``points``; ``low`` and ``high`` are the bounds of its interval, None where there is none; ``reason`` is for people.
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
class Shown:
    """A figure that is never gated, of the baseline and now."""

    cell: str
    metric: str
    baseline: float
    current: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that a check found.

    ``failed_cells`` are those that could not be measured, each with its reason; ``settings`` what the gate was set to
    (margins, seed of the coin), and what was compared with what.
    """

    findings: tuple[Finding, ...]
    shown: tuple[Shown, ...] = ()
    failed_cells: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def count(self, verdict: Verdict) -> int:
        """How many findings have this verdict."""
        return sum(finding.verdict is verdict for finding in self.findings)

    @property
    def exit_code(self) -> ExitCode:
        """Nothing measured is never a pass."""
        if self.count(Verdict.FAIL):
            return ExitCode.REGRESSION
        if self.failed_cells:
            return ExitCode.CELL_FAILED
        if not self.count(Verdict.PASS) + self.count(Verdict.INCONCLUSIVE):
            return ExitCode.NOTHING_TO_COMPARE
        return ExitCode.INCONCLUSIVE if self.count(Verdict.INCONCLUSIVE) else ExitCode.DONE


_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_COMPARED, Verdict.PASS)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Failures first, the largest change before others; what passed last."""
    return sorted(findings, key=lambda finding: (_WORST_FIRST.index(finding.verdict), -abs(finding.change or 0.0)))
