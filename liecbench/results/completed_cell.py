"""A completed cell's mean seconds per epoch, and the cost, such as bytes, of reaching its target accuracy or loss."""

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from liecbench.results.records import EXPOSED_PARTS, TIMED_SECONDS, Epoch

# The fields of an epoch whose seconds cover only timed steps.
_SECONDS: Final = (*TIMED_SECONDS, *EXPOSED_PARTS)
_SECONDS_OF: Final[Callable[[Epoch], tuple[float | None, ...]]] = operator.attrgetter(*_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedCell:
    """The epochs of a completed cell, from which metrics are derived.

    Attributes:
        epochs: The epochs in order.
        is_language_model: True if the cell is judged by its test loss, False if it is judged by its test accuracy.
        epochs_to_target: The number of epochs until the target is reached, interpolated between evaluations. None if
            the target is not reached, or if there is no target.
        long_run: A mean epoch in which rare steps, such as averaging steps, are as frequent as in a long training.
            None if the cell was timed while it trained.
        costly_epochs: The epochs from which mean times and bytes are computed: ``epochs`` if ``long_run`` is None, else
            only ``long_run``.
    """

    epochs: Sequence[Epoch]
    is_language_model: bool = False
    epochs_to_target: float | None = None
    long_run: Epoch | None = None
    costly_epochs: Sequence[Epoch] = field(init=False)
    _seconds: Mapping[str, float | None] = field(init=False)

    def __post_init__(self) -> None:
        """Set the attribute ``costly_epochs``, and compute the mean seconds that ``seconds_per_epoch`` returns."""
        epochs = self.epochs if self.long_run is None else [self.long_run]
        object.__setattr__(self, "costly_epochs", epochs)
        # An epoch of 22 steps of which 11 are timed counts as half.
        num_timed = sum([epoch.timed_steps for epoch in epochs]) / epochs[-1].steps if epochs else 0.0
        # One pass over the epochs for all fields is faster than one pass per field.
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
        """Return a completed cell, with the number of epochs until the target accuracy or target loss is reached.

        If both targets are given, ``target_loss`` counts for language models, and ``target_accuracy`` for all other
        models.

        Args:
            epochs: The epochs in order.
            target_accuracy: The test accuracy to reach, from 0 to 1; None for no target accuracy.
            target_loss: The test loss to reach, in nats; None for no target loss.
            long_run: A mean epoch in which rare steps, such as averaging steps, are as frequent as in a long training;
                None if the cell was timed while it trained.
            is_language_model: True if the cell trains a language model.
        """
        reached = None
        if target_loss is not None and (is_language_model or target_accuracy is None):
            reached = _reached([target_loss - epoch.test_loss for epoch in epochs])
        elif target_accuracy is not None:
            reached = _reached([epoch.test_accuracy - target_accuracy for epoch in epochs])
        return cls(epochs=epochs, epochs_to_target=reached, long_run=long_run, is_language_model=is_language_model)

    def seconds_per_epoch(self, name: str) -> float | None:
        """Return the mean seconds per epoch in the field ``name``, scaled up from timed steps to all steps.

        Return None if no step is timed, or if an epoch lacks the field.

        Args:
            name: A field of ``TIMED_SECONDS`` or ``EXPOSED_PARTS``, such as ``train_seconds``.
        """
        return self._seconds[name]

    def to_target(self, cost: Callable[[Epoch], float | None]) -> float | None:
        """Return the total cost, such as seconds, of the epochs until the target is reached.

        For example, if ``epochs_to_target`` is 7.4, the total is the cost of the first 7 epochs plus 0.4 times the cost
        of the eighth. Return None if the target is not reached, or if the cost of one of these epochs is unknown.

        Args:
            cost: Returns the cost of an epoch, or None if the cost is unknown.
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
