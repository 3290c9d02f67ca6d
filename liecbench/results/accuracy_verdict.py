"""Verdicts on accuracy: does a method keep the baseline's accuracy, does it lose accuracy, or is neither shown?

A method and the baseline are compared by the differences between their runs with the same seed.
"""

import bisect
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.results.cells import CellResult
from liecbench.results.rows import Row
from liecbench.results.statistics import Estimate, holm, spread
from liecbench.results.student_t import near_t_quantile, two_sided_p_value
from liecbench.results.tolerances import Tolerances

AccuracyOutcome = Literal["kept", "lost", "not_shown"]
_TAIL: Final = 0.025
_MAX_SEEDS: Final = 1000
# The smallest possible change that is assumed for losses, and for accuracies if the size of the test set is unknown.
LOSS_RESOLUTION: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyVerdict:
    """The verdict on the accuracy of one method, from its runs with several seeds.

    The tolerance is the largest drop of accuracy that counts as equal; for language models, the largest rise of the
    test loss.

    Attributes:
        outcome: ``kept`` if the 95 % interval of ``difference`` lies above −tolerance. ``lost`` if a test,
            Holm-adjusted over the methods of the setting, shows that the difference is below −tolerance. Else
            ``not_shown``.
        difference: The method's accuracy minus the baseline's, as a fraction. For language models, the baseline's test
            loss minus the method's. The mean over seeds, with the 95 % interval. Positive if the method is better.
        is_below: True if the 95 % interval of ``difference`` lies below −tolerance. The method is then likely to lose
            accuracy, even if the adjusted test does not show it.
        by_loss: True if test losses are compared, because the task is a language model.
        num_seeds: The number of seeds with which both the method and the baseline completed.
        seeds_needed: The estimated total number of seeds with which ``outcome`` would be ``kept`` or ``lost`` with
            80 % probability. None if ``outcome`` is already ``kept`` or ``lost``, or if there is only one seed.
        one_seed_error: An upper bound, as a fraction, of the standard error that the finite test set causes in one
            seed's accuracy difference. None for language models, or if the number of test labels is unknown.
    """

    outcome: AccuracyOutcome
    difference: Estimate
    is_below: bool
    by_loss: bool
    num_seeds: int
    seeds_needed: int | None
    one_seed_error: float | None

    @property
    def word(self) -> str:
        """The verdict in words: ``kept``, ``lost``, ``likely lost`` or ``not known``.

        If test losses are compared, ``raised`` replaces ``lost``.
        """
        if self.is_open:
            return "not known"
        if self.outcome == "kept":
            return "kept"
        return f"{'' if self.outcome == 'lost' else 'likely '}{'raised' if self.by_loss else 'lost'}"

    @property
    def is_open(self) -> bool:
        """True if more seeds may show either that the accuracy is kept, or that it is lost."""
        return self.outcome == "not_shown" and not self.is_below

    @property
    def subject(self) -> str:
        """The quantity that the verdict judges: ``accuracy`` or ``test loss``."""
        return "test loss" if self.by_loss else "accuracy"

    @property
    def phrase(self) -> str:
        """The verdict with its subject, such as ``accuracy kept`` or ``test loss likely raised``."""
        return f"{self.subject} {self.word}{' yet' * self.is_open}"


def accuracy_verdicts(rows: Sequence[Row], tolerances: Tolerances) -> list[AccuracyVerdict | None]:
    """Return the verdict on each row; None for the baseline and for rows that share no seed with the baseline.

    Args:
        rows: The rows of one setting: they differ only in the method. The p-values for lost accuracy are adjusted by
            Holm's method over these rows.
        tolerances: The largest drop of accuracy and the largest rise of test loss that count as equal.
    """
    differences = [[] if row.is_baseline else _differences(row) for row in rows]
    judged = [index for index, found in enumerate(differences) if found]
    allowed = [tolerances.loss if row.is_language_model else tolerances.accuracy for row in rows]
    lower = [_p_value_lower(differences[i], allowed[i], _resolution(rows[i])) for i in judged]
    lost = {index for index, p in zip(judged, holm(lower), strict=True) if p <= _TAIL}
    return [
        _verdict(row, differences[index], allowed[index], lost=index in lost) if index in judged else None
        for index, row in enumerate(rows)
    ]


def _differences(row: Row) -> list[float]:
    if not row.is_trained:
        return []
    seeds = [seed for seed in row.per_seed if seed in row.baseline_per_seed]
    if row.is_language_model:
        return [row.baseline_per_seed[seed]["test_loss"] - row.per_seed[seed]["test_loss"] for seed in seeds]
    return [row.per_seed[seed]["test_accuracy"] - row.baseline_per_seed[seed]["test_accuracy"] for seed in seeds]


def _verdict(row: Row, differences: Sequence[float], tolerance: float, *, lost: bool) -> AccuracyVerdict:
    interval = Estimate.of(differences, _TAIL, resolution=_resolution(row))
    kept = interval.low is not None and interval.low > -tolerance
    outcome: AccuracyOutcome = "lost" if lost else "kept" if kept else "not_shown"
    return AccuracyVerdict(
        outcome=outcome,
        difference=interval,
        is_below=interval.high is not None and interval.high < -tolerance,
        by_loss=row.is_language_model,
        num_seeds=len(differences),
        seeds_needed=_seeds_needed(differences, tolerance, _resolution(row)) if outcome == "not_shown" else None,
        one_seed_error=None if row.is_language_model else _one_seed_error(row),
    )


def _p_value_lower(differences: Sequence[float], tolerance: float, resolution: float) -> float:
    """Return the one-sided p-value of the hypothesis that a method keeps the baseline's accuracy.

    Args:
        differences: The method's accuracy minus the baseline's, one value per seed. For language models, the baseline's
            test loss minus the method's. If there are fewer than two values, the p-value is 1.
        tolerance: The hypothesis is that the mean difference, over all possible seeds, is at least −``tolerance``.
        resolution: The smallest possible change of accuracy or test loss. A smaller standard deviation is raised to it.
    """
    count = len(differences)
    if count < 2:
        return 1.0
    error = spread(differences, resolution) / math.sqrt(count)
    statistic = (statistics.fmean(differences) + tolerance) / error
    p_value = two_sided_p_value(count - 1, statistic) / 2
    return p_value if statistic < 0 else 1 - p_value


def _seeds_needed(differences: Sequence[float], tolerance: float, resolution: float) -> int | None:
    if len(differences) < 2:
        return None
    deviation = spread(differences, resolution)
    # The true difference is assumed to be the observed one, or 0 if the observed one is positive.
    margin = min(tolerance, abs(statistics.fmean(differences) + tolerance))

    def is_enough(count: int) -> bool:
        factor = near_t_quantile(count - 1, 1 - _TAIL) + near_t_quantile(count - 1, 0.8)
        return factor * deviation / math.sqrt(count) <= margin

    first = len(differences) + 1
    return first + bisect.bisect_left(range(first, _MAX_SEEDS), True, key=is_enough)


def num_test_labels(cells: Sequence[CellResult]) -> int | None:
    """Return the number of labels in the cells' test set; None if no cell has a record of this number.

    There is one label per example or, for text, one per token.
    """
    known = [cell.environment.test_set for cell in cells]
    return next((int(facts.labels) for facts in known if facts), None)


def accuracy_resolution(cells: Sequence[CellResult]) -> float:
    """Return the smallest possible change of the cells' accuracy: 1 ÷ number of test labels, or 0.001 if unknown."""
    number = num_test_labels(cells)
    return LOSS_RESOLUTION if number is None else 1 / number


def _resolution(row: Row) -> float:
    return LOSS_RESOLUTION if row.is_language_model else accuracy_resolution(row.cells)


def _one_seed_error(row: Row) -> float | None:
    number = num_test_labels(row.cells)
    if number is None:
        return None
    accuracy = statistics.fmean(metrics["test_accuracy"] for metrics in row.baseline_per_seed.values())
    return math.sqrt(2 * accuracy * (1 - accuracy) / number)
