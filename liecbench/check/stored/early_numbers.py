"""Compare losses and other numbers of a cell's first steps with those of a baseline.

The margin is tight, because differences of rounding have not grown yet in the first steps.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.exact import change
from liecbench.check.stored.matching import CellMatch
from liecbench.check.stored.stored_epoch import StoredFirstSteps
from liecbench.check.verdict import CheckResult, Verdict

NUMBERS_CHANGED: Final = "numbers changed; renew the baseline if on purpose"
_METRIC: Final = "first_steps"


def first_steps(label: str, matches: Sequence[CellMatch], margin: float) -> CheckResult:
    """Compare losses, compression error and residual norm of the first steps, seed by seed.

    Args:
        label: The cell's name.
        matches: For each seed of a configuration, the results' cell and the baseline's cell to compare it with.
        margin: Allowed relative difference.

    Returns:
        The result, with the number that differs most. The verdict is NOT_COMPARED if no seed has first steps on both
        sides. (Earlier versions of liecbench did not record first steps.) The verdict is FAIL if a number differs by
        more than ``margin``, or is recorded on only one side. Otherwise, the verdict is PASS.
    """
    sides = [(match.seed, _recorded(match.baseline), _recorded(match.current)) for match in matches]
    known = [(seed, old, new) for seed, old, new in sides if old is not None and new is not None]
    if not known:
        where = "baseline" if any(new is not None for _, _, new in sides) else "results"
        remedy = "write it again" if where == "baseline" else "run them again"
        reason = f"an earlier version recorded the {where}, without the first steps; {remedy}"
        return CheckResult(cell=label, metric=_METRIC, verdict=Verdict.NOT_COMPARED, reason=reason)
    differences = [(seed, *number) for seed, old, new in known for number in _numbers(old, new)]
    seed, name, before, after = max(differences, key=lambda found: _distance(found[2], found[3]))
    largest = _distance(before, after)
    if largest > margin:
        reason = f"seed {seed}: {_described(name, before, after)}; ±{margin:.2%} allowed; {NUMBERS_CHANGED}"
    else:
        reason = f"losses, compression error and residuals differ by {largest:.1e} at most; {margin:.0e} allowed"
    return CheckResult(
        cell=label,
        metric=_METRIC,
        verdict=Verdict.FAIL if largest > margin else Verdict.PASS,
        reason=reason,
        baseline=before,
        current=after,
        change=change(before, after),
    )


def _recorded(entry: BaselineCell) -> StoredFirstSteps | None:
    return next((epoch.first_steps for epoch in entry.epochs if epoch.first_steps is not None), None)


def _numbers(old: StoredFirstSteps, new: StoredFirstSteps) -> Iterator[tuple[str, float | None, float | None]]:
    """Yield (name, value in the baseline, value in the results) of each number, such as ``loss of step 1``.

    A value that was not recorded is None.

    Args:
        old: The numbers of the baseline's first steps.
        new: The numbers of the results' first steps.
    """
    for step, (before, after) in enumerate(zip(old.train_loss, new.train_loss, strict=False), start=1):
        yield f"loss of step {step}", before, after
    yield "compression error", old.compression_error, new.compression_error
    yield "norm of the residuals", old.residual_norm, new.residual_norm


def _distance(old: float | None, new: float | None) -> float:
    """Return |new ÷ old − 1|; 0 if old = new or both are None; infinite if only one is None or only ``old`` is 0."""
    if old is None and new is None:
        return 0.0
    relative = change(old, new)
    return math.inf if relative is None else abs(relative)


def _described(name: str, old: float | None, new: float | None) -> str:
    if old is None or new is None:
        return f"the method has {'gained' if old is None else 'lost'} its {name}"
    relative = change(old, new)
    return f"{name} {new:g}, zero in the baseline" if relative is None else f"{name} {relative:+.4%}"
