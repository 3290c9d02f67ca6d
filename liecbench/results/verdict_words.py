"""Texts that the sentences on verdicts are made of, such as names of methods, speed-ups and accuracy differences.

Numbers are followed by their intervals, as in ``-0.8 points (-1.1 to -0.5)``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from liecbench.config.short_lists import listed, shortened
from liecbench.results.accuracy_verdict import AccuracyVerdict
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row
from liecbench.results.run_again import run_again
from liecbench.results.statistics import Estimate
from liecbench.results.tolerances import Tolerances
from liecbench.results.units import RATIO, RATIO_RANGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Words for the sentences on one comparison, such as ``liec (1/3 failed)`` and ``loses accuracy``.

    Attributes:
        labels: The short names of the compared methods and settings, such as ``psgd per_tensor`` and ``20mbit``.
        baseline: The name of the baseline, such as ``ddp``, or ``liec with workers 2`` if other rows of the method have
            other numbers of workers.
        tolerances: The drop of accuracy (0.005 is half a point) and the rise of test loss (in nats) that still count as
            equal to the baseline.
        target_accuracy: The accuracy, from 0 to 1, that methods should reach. Sentences tell the time until a method
            reaches the target. None without such a target.
        target_loss: The test loss that methods should reach; None without such a target. If both targets are given,
            ``target_loss`` applies to language models, and ``target_accuracy`` to all other models.
        directories: The results directories that are compared.
        only: The conditions of ``--only`` with which the cells were run.
    """

    labels: Labels
    baseline: str
    tolerances: Tolerances
    target_accuracy: float | None = None
    target_loss: float | None = None
    directories: tuple[Path, ...] = ()
    only: tuple[str, ...] = ()

    def name(self, row: Row) -> str:
        """Return the name of a row's method, with the number of failed or unfinished cells: ``liec (1/3 failed)``."""
        return f"{self.labels.method(row)} ({row.state})" if row.state else self.labels.method(row)

    def names(self, rows: Sequence[Row]) -> str:
        """Return the names of rows' methods, such as ``a, b and c``."""
        return listed([self.name(row) for row in rows])

    def command(self, arguments: str) -> str:
        """Return, in backquotes, the ``liecbench run`` command that continues the compared run with more arguments.

        If exactly one results directory is compared, the command names the directory and its scenario file. Otherwise,
        the command has the word SCENARIO in place of the file, and no directory.

        Args:
            arguments: The end of the command, such as ``--seeds 10``.
        """
        if len(self.directories) != 1:
            return f"`liecbench run SCENARIO {arguments}`"
        # More seeds are not among those that a condition on the seed chose.
        more_seeds = arguments.startswith("--seeds")
        only = [condition for condition in self.only if not (more_seeds and condition.startswith("seed="))]
        return run_again(self.directories[0], only, *arguments.split())

    def target(self, row: Row) -> str | None:
        """Return the target that applies to a row, such as ``90%`` or ``a test loss of 1.5``; None without a target."""
        if self.target_loss is not None and (row.is_language_model or self.target_accuracy is None):
            return f"a test loss of {self.target_loss:g}"
        return None if self.target_accuracy is None else f"{100 * self.target_accuracy:g}%"

    def quality(self, row: Row) -> str:
        """Return the name of a row's measure of quality: ``test loss`` for language models, else ``accuracy``."""
        return "test loss" if row.is_language_model else "accuracy"

    def loses(self, row: Row) -> str:
        """Return the words for a row that does not keep the quality: ``loses accuracy`` or ``raises the test loss``."""
        return "raises the test loss" if row.is_language_model else "loses accuracy"

    def to_lose(self, verdict: AccuracyVerdict) -> str:
        """Return a verb phrase for losing more than the tolerance, such as ``lose more than 0.5 points of accuracy``.

        If ``verdict`` compares test losses, the phrase is like ``raise the test loss by more than 0.02 nats``. The
        outcome of ``verdict`` does not change the phrase.
        """
        tolerance = self.tolerance(verdict)
        if verdict.by_loss:
            return f"raise the test loss by more than {tolerance}"
        return f"lose more than {tolerance} of accuracy"

    def within(self, verdict: AccuracyVerdict) -> str:
        """Return words for the verdict that the quality is kept, such as ``accuracy within 0.5 points of ddp's``."""
        quality = "test loss" if verdict.by_loss else "accuracy"
        return f"{quality} within {self.tolerance(verdict)} of {self.baseline}'s"

    def tolerance(self, verdict: AccuracyVerdict) -> str:
        """Return as text the tolerance to which a verdict refers, in points of accuracy or nats of loss."""
        if verdict.by_loss:
            return f"{self.tolerances.loss:g} nats"
        points = f"{100 * self.tolerances.accuracy:g}"
        return f"{points} point" if points == "1" else f"{points} points"


def places_text(places: Sequence[str]) -> str:
    """Join the texts of settings to one text, such as ``on 10mbit and 100mbit and without a rate limit``.

    Args:
        places: The texts, with a capital first letter, such as ``On 10mbit`` and ``Without a rate limit``.
    """
    rates = [place.removeprefix("On ") for place in places if place.startswith("On ")]
    others = [place[0].lower() + place[1:] for place in places if not place.startswith("On ")]
    return listed([*([f"on {shortened(rates)}"] if rates else []), *others])


def ratio_text(ratio: Estimate | None) -> str:
    """Return a ratio with its interval as text, or ``unknown`` for None.

    Without an interval, the text has a remark that the ratio's error is unknown.
    """
    if ratio is None:
        return "unknown"
    if ratio.low is None or ratio.high is None:
        return f"{RATIO.format(ratio.mean)} (one measurement, error unknown)"
    return RATIO_RANGE.text(ratio)


def quality_clause(row: Row, found: AccuracyVerdict | None, words: Words) -> str:
    """Return a clause on the accuracy of a row, such as ``it keeps the accuracy within 0.5 points``.

    If the verdict is ``not_shown``, the clause begins with ``it is not known yet whether``.

    Args:
        row: The row.
        found: The verdict on the accuracy or, for a language model, the test loss; None if there is no verdict. The
            verdict must not be ``lost``.
        words: The names and tolerances that the clause uses.

    Returns:
        The clause; empty if ``found`` is None.
    """
    if found is None:
        return ""
    known = "" if found.outcome == "kept" else "it is not known yet whether "
    return f"{known}it keeps the {words.quality(row)} within {words.tolerance(found)}"


def evidence(found: AccuracyVerdict | None) -> str:
    """Return the numbers behind a verdict on accuracy, such as ``-0.1 points, -0.3 to +0.1, after 10 seeds``.

    These are the difference from the baseline, its interval if there are several seeds, and the number of seeds. The
    text is empty without a verdict.
    """
    if found is None:
        return ""
    texts, after = difference_texts(found), f"after {seeds_text(found.num_seeds)}"
    return ", ".join([*texts, after]) if len(texts) > 1 else f"{texts[0]} {after}"


def seeds_text(number: int) -> str:
    """Return a number of seeds as text, such as ``1 seed``."""
    return f"{number} seed" if number == 1 else f"{number} seeds"


def difference_text(verdict: AccuracyVerdict) -> str:
    """Return a verdict's difference and 95 % interval as text, such as ``-0.8 points (-1.1 to -0.5)``.

    The difference is the method's accuracy minus the baseline's, in points. If test losses are compared, it is the
    method's test loss minus the baseline's, in nats. The interval is left out if there is a single seed.
    """
    difference, *interval = difference_texts(verdict)
    return f"{difference} ({interval[0]})" if interval else difference


def difference_texts(verdict: AccuracyVerdict) -> list[str]:
    """Return the difference in a verdict as text, such as ``-0.8 points``, and its interval, such as ``-1.1 to -0.5``.

    The interval is left out if there is a single seed.
    """
    found = verdict.difference
    if found.low is None or found.high is None:
        return [mean_difference_text(verdict)]
    ends = (found.high, found.low) if verdict.by_loss else (found.low, found.high)
    return [mean_difference_text(verdict), " to ".join(_signed(verdict, end) for end in ends)]


def mean_difference_text(verdict: AccuracyVerdict) -> str:
    """Return the mean difference in a verdict as text, such as ``-0.8 points`` or ``+0.136 nats``."""
    return f"{_signed(verdict, verdict.difference.mean)} {'nats' if verdict.by_loss else 'points'}"


def worst_difference_text(verdict: AccuracyVerdict) -> str:
    """Return, as text, the low end of the 95 % interval of the accuracy difference, in points, such as ``-1.1``.

    If ``verdict.by_loss``, return the high end of the 95 % interval of the method's test loss minus the baseline's
    instead, such as ``+0.120``.

    Args:
        verdict: The verdict on the method's accuracy, from at least two seeds.
    """
    assert verdict.difference.low is not None, "one seed has no interval"
    return _signed(verdict, verdict.difference.low)


def _signed(verdict: AccuracyVerdict, difference: float) -> str:
    # A verdict counts a lower loss as positive, as it counts a higher accuracy.
    scale, digits = (-1.0, 3) if verdict.by_loss else (100.0, 1)
    return f"{round(scale * difference, digits) + 0.0:+.{digits}f}"  # + 0.0, because −0.0 would have a minus sign
