"""One metric: how it is derived from a cell and how it is shown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from liecbench.results.records import Epoch
from liecbench.results.statistics import Estimate
from liecbench.results.units import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedCell:
    """The epochs of a completed cell, from which metrics are derived.

    ``epochs_to_target`` are the first epochs up to the one that reaches the target accuracy; None if no epoch does.
    """

    epochs: Sequence[Epoch]
    epochs_to_target: Sequence[Epoch] | None = None

    @classmethod
    def of(cls, epochs: Sequence[Epoch], target_accuracy: float | None) -> "CompletedCell":
        """Return the epochs with those that lead to the target accuracy."""
        for number, epoch in enumerate(epochs, start=1):
            if target_accuracy is not None and epoch.test_accuracy >= target_accuracy:
                return cls(epochs=epochs, epochs_to_target=epochs[:number])
        return cls(epochs=epochs)

    def seconds_per_epoch(self, name: str) -> float | None:
        """Return the mean of a field in seconds, warm-up steps counted like others; None if all steps are warm-up."""
        # Times cover the timed steps alone: an epoch of 22 steps of which 11 are timed counts as half an epoch.
        num_epochs = sum(epoch.timed_steps for epoch in self.epochs) / self.epochs[-1].steps
        return sum(getattr(epoch, name) for epoch in self.epochs) / num_epochs if num_epochs else None

    def to_target(self, cost: Callable[[Epoch], float]) -> float | None:
        """Return the sum of an epoch's ``cost`` until the target accuracy is reached; None if it is not."""
        return None if self.epochs_to_target is None else sum(map(cost, self.epochs_to_target))


Derive = Callable[[CompletedCell], float | None]
# From the metrics of a cell and of the baseline's cell with the same seed.
Compare = Callable[[Mapping[str, float], Mapping[str, float]], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number per cell, whose mean over seeds is a column of a comparison.

    Args:
        name: The name in JSON, CSV and ``--metric``, which ends with the unit or what the number is per.
        heading: The column's heading.
        unit: The unit and the number format.
        derive: Returns the value of a completed cell, or None if it is unknown. Either this or ``compare`` is set.
        compare: Returns the value from a cell's metrics and those of the baseline, seed by seed.
        better: The direction in which the metric improves.
        shown: Where the column shows without ``--metric``: in every comparison, on the HTML page alone, or nowhere.
        every_seed: True if the mean is unknown unless all seeds have a value, failed ones included.
        exported_with: The metric that some cell must have for JSON and CSV to hold this one; None: always.
        zero_is_missing: True if a value of 0 does not count as one for ``exported_with``.
        of_gpus: True if the value is of all GPUs together.
        hide_first: On a narrow terminal the column with the lowest number is hidden first; None: never hidden.
    """

    name: str
    heading: str
    unit: Unit
    derive: Derive | None = None
    compare: Compare | None = None
    better: Literal["higher", "lower"] = "lower"
    shown: Literal["table", "page", "on request"] = "on request"
    every_seed: bool = False
    exported_with: str | None = None
    zero_is_missing: bool = False
    of_gpus: bool = False
    hide_first: int | None = None

    def text(self, value: Estimate | None) -> str:
        """Return a value as it is shown to people."""
        return self.unit.text(value)

    def best(self, values: Iterable[Estimate | None]) -> float | None:
        """Return the best mean; None if there is none."""
        means = [value.mean for value in values if value is not None]
        return (max if self.better == "higher" else min)(means) if means else None
