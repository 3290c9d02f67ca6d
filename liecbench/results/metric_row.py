"""The definition of one metric: its derivation from a cell, and the way it is shown."""

import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from liecbench.results.records import EXPOSED_PARTS, TIMED_SECONDS, Epoch
from liecbench.results.statistics import Estimate
from liecbench.results.units import Unit

# The fields of an epoch whose seconds cover only timed steps.
_SECONDS: Final = (*TIMED_SECONDS, *EXPOSED_PARTS)
_SECONDS_OF: Final[Callable[[Epoch], tuple[float | None, ...]]] = operator.attrgetter(*_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedCell:
    """The epochs of a completed cell, from which metrics are derived.

    ``epochs_to_target`` is the number of epochs until the target is reached, interpolated between evaluations; None if
    it is not reached or there is no target. ``long_run`` is a mean epoch in which rare steps, such as averaging steps,
    are as frequent as in a long training; None if the cell was timed while it trained. ``is_language_model`` is True if
    the cell is judged by its test loss instead of its accuracy. ``costly_epochs`` are the epochs whose times and bytes
    are averaged: only ``long_run`` if it is not None, else all epochs.
    """

    epochs: Sequence[Epoch]
    is_language_model: bool = False
    epochs_to_target: float | None = None
    long_run: Epoch | None = None
    costly_epochs: Sequence[Epoch] = field(init=False)
    _seconds: Mapping[str, float | None] = field(init=False)

    def __post_init__(self) -> None:
        """Compute the mean seconds of all timed fields in one pass: five times as fast as one field after the other."""
        epochs = self.epochs if self.long_run is None else [self.long_run]
        object.__setattr__(self, "costly_epochs", epochs)
        # An epoch of 22 steps of which 11 are timed counts as half.
        num_timed = sum([epoch.timed_steps for epoch in epochs]) / epochs[-1].steps if epochs else 0.0
        columns = zip(*map(_SECONDS_OF, epochs), strict=True) if num_timed else [(None,)] * len(_SECONDS)
        seconds = [None if None in values else sum(values) / num_timed for values in columns]
        object.__setattr__(self, "_seconds", dict(zip(_SECONDS, seconds, strict=True)))

    @classmethod
    def of(
        cls,
        epochs: Sequence[Epoch],
        target_accuracy: float | None = None,
        target_loss: float | None = None,
        *,
        long_run: Epoch | None = None,
        is_language_model: bool = False,
    ) -> "CompletedCell":
        """Return a completed cell with these epochs.

        Args:
            epochs: The epochs in order.
            target_accuracy: The target as an accuracy from 0 to 1; None for no such target.
            target_loss: The target as a test loss, in nats; None for no such target. If there are both targets, this
                one is that of language models, and the accuracy that of all other models.
            long_run: The mean epoch of a long training; None if the cell was timed while it trained.
            is_language_model: True if the cell trains a language model.
        """
        reached = None
        if target_loss is not None and (is_language_model or target_accuracy is None):
            reached = _reached([target_loss - epoch.test_loss for epoch in epochs])
        elif target_accuracy is not None:
            reached = _reached([epoch.test_accuracy - target_accuracy for epoch in epochs])
        return cls(epochs=epochs, epochs_to_target=reached, long_run=long_run, is_language_model=is_language_model)

    def seconds_per_epoch(self, name: str) -> float | None:
        """Return the mean seconds per epoch in a field of ``Epoch`` that covers only timed steps.

        The seconds are scaled up to all steps of the epoch, because warm-up steps are not timed. None if no step is
        timed, or if an epoch lacks the field.

        Args:
            name: A field of ``TIMED_SECONDS`` or ``EXPOSED_PARTS``, such as ``train_seconds``.
        """
        return self._seconds[name]

    def to_target(self, cost: Callable[[Epoch], float | None]) -> float | None:
        """Return the total cost of the epochs until the target is reached, such as their seconds.

        If the target is reached within an epoch, a share of this epoch's cost counts. None if the target is not
        reached, or if the cost of an epoch is unknown.

        Args:
            cost: Returns the cost of an epoch, or None if it is unknown.
        """
        if self.epochs_to_target is None:
            return None
        whole = int(self.epochs_to_target)
        part = self.epochs_to_target - whole
        costs = [cost(epoch) for epoch in self.epochs[: whole + 1 if part else whole]]
        shares = [1.0] * whole + [part]
        known = [value * share for value, share in zip(costs, shares, strict=False) if value is not None]
        return sum(known) if len(known) == len(costs) else None


def _reached(above: Sequence[float]) -> float | None:
    """Return the number of epochs until the target is reached; None if it never is.

    The target is reached at the first of two consecutive evaluations that are both at or above the target. The number
    is interpolated linearly between this evaluation and the one before.

    Args:
        above: By how much the evaluation after each epoch exceeds the target; negative if it falls short.
    """
    for index, (first, second) in enumerate(itertools.pairwise(above)):
        if first >= 0 and second >= 0:
            before = above[index - 1] if index else None
            return index + 1.0 if before is None else index + before / (before - first)
    return None


Derive = Callable[[CompletedCell], float | None]
# Takes a cell's metrics by name, and the metrics of the baseline's cell with the same seed.
Compare = Callable[[Mapping[str, float], Mapping[str, float]], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number per cell, whose mean over seeds is a column of a comparison.

    Args:
        name: The name in JSON, CSV and ``--metric``.
        heading: The column's heading.
        meaning: An explanation of the heading in a few words; empty if the heading needs none.
        unit: The unit and the number format.
        derive: Returns the value of a completed cell, or None if it is unknown. Either this or ``compare`` is set.
        compare: Returns the value from a cell's metrics and those of the baseline's cell with the same seed, or None if
            it is unknown.
        better: The direction in which the metric improves.
        shown_from: If the rows' largest mean is above (1 + ``shown_from``) × the smallest mean, tables and the page
            show the column, whatever ``shown`` says. None if ``shown`` alone decides.
        shown_for: ``loss``: only comparisons with language models, which are judged by their test loss, show the
            column without ``--metric``; ``accuracy``: only those with other models; ``any``: all.
        shown: The places that show the column without ``--metric``: ``table``: every table and the HTML page; ``wide``:
            tables with ``--wide``, and the HTML page; ``on request``: none.
        every_seed: True if the row's mean is unknown as soon as any of its cells, failed ones included, has no value.
        exported_with: The name of another metric: JSON and CSV include this one only if some cell has a value of the
            other. None if they always include it.
        zero_is_missing: True if 0 does not count as a value when another metric names this one in ``exported_with``.
        of_gpus: True if the value covers all GPUs of the cell together.
        needs_interval: True if the text of a value without an interval says that its error is unknown.
    """

    name: str
    heading: str
    unit: Unit
    derive: Derive | None = None
    compare: Compare | None = None
    better: Literal["higher", "lower"] = "lower"
    shown: Literal["table", "wide", "on request"] = "on request"
    shown_for: Literal["loss", "accuracy", "any"] = "any"
    shown_from: float | None = None
    every_seed: bool = False
    exported_with: str | None = None
    zero_is_missing: bool = False
    of_gpus: bool = False
    needs_interval: bool = False
    meaning: str = ""

    def text(self, value: Estimate | None) -> str:
        """Return a mean with its unit and interval as text for people; a dash for None."""
        unknown = " ±?" if self.needs_interval and value is not None and value.low is None else ""
        return self.unit.text(value) + unknown

    def differs(self, values: Iterable[Estimate | None]) -> bool:
        """Return True if the rows' largest mean is above (1 + ``shown_from``) × the smallest.

        Tables then show the metric's column. Return False if ``shown_from`` is None.
        """
        means = [value.mean for value in values if value is not None]
        return self.shown_from is not None and bool(means) and max(means) > (1 + self.shown_from) * min(means)

    def best(self, values: Iterable[Estimate | None]) -> float | None:
        """Return the best of the means, in the direction of ``better``; None if all values are None."""
        means = [value.mean for value in values if value is not None]
        return (max if self.better == "higher" else min)(means) if means else None
