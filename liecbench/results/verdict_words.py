"""Words that the sentences of a verdict share: names, and ratios and differences with their intervals, as text."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from liecbench.results.accuracy_verdict import AccuracyVerdict
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row
from liecbench.results.statistics import Estimate
from liecbench.results.tolerances import Tolerances
from liecbench.results.units import RATIO, RATIO_RANGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The names and tolerances that the sentences of one comparison share.

    Attributes:
        labels: The names of methods and settings.
        baseline: The name of the baseline.
        tolerances: The largest differences from the baseline that count as equal.
        directories: The results directories that are compared.
    """

    labels: Labels
    baseline: str
    tolerances: Tolerances
    directories: tuple[Path, ...] = ()

    def name(self, row: Row) -> str:
        """Return the name of a row's method; if cells did not complete, followed by their number."""
        return f"{self.labels.method(row)} ({row.state})" if row.state else self.labels.method(row)

    def names(self, rows: Sequence[Row]) -> str:
        """Return the names of rows' methods, such as ``a, b and c``."""
        return listed([self.name(row) for row in rows])

    def command(self, arguments: str) -> str:
        """Return, in backquotes, the command that continues the compared run with these arguments added."""
        if len(self.directories) != 1:
            return f"`liecbench run SCENARIO {arguments}`"
        directory = self.directories[0]
        scenario = shlex.quote(str(directory / "scenario.yaml"))
        return f"`liecbench run {scenario} --out {shlex.quote(str(directory))} {arguments}`"

    def tolerance(self, verdict: AccuracyVerdict) -> str:
        """Return the tolerance that a verdict used as text, in points of accuracy or nats of loss."""
        return f"{self.tolerances.loss:g} nats" if verdict.by_loss else f"{100 * self.tolerances.accuracy:g} points"


def listed(names: Sequence[str]) -> str:
    """Return names as ``a``, ``a and b`` or ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def ratio_text(ratio: Estimate | None) -> str:
    """Return a ratio with its interval as text; without an interval, with a remark that its error is unknown."""
    if ratio is None:
        return "unknown"
    if ratio.low is None or ratio.high is None:
        return f"{RATIO.format(ratio.mean)} (one seed, error unknown)"
    return RATIO_RANGE.text(ratio)


def difference_text(verdict: AccuracyVerdict) -> str:
    """Return the difference of a verdict with its interval as text, in points of accuracy or nats of loss."""
    found, scale, digits = verdict.difference, 1.0 if verdict.by_loss else 100.0, 3 if verdict.by_loss else 1
    # A higher loss is worse, so that the sign of a loss difference needs the word "better".
    unit = " nats better" if verdict.by_loss else " points"
    text = f"{scale * found.mean:+.{digits}f}{unit}"
    if found.low is None or found.high is None:
        return text
    return f"{text} ({scale * found.low:+.{digits}f} to {scale * found.high:+.{digits}f})"


def target_text(accuracy: float | None, loss: float | None) -> str | None:
    """Return a target accuracy or loss as text; None if there is neither."""
    if accuracy is not None:
        return f"{100 * accuracy:g}%"
    return None if loss is None else f"a test loss of {loss:g}"
