"""The definition of one metric: its derivation from a cell, and the way it is shown."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from liecbench.results.completed_cell import CompletedCell
from liecbench.results.statistics import Estimate
from liecbench.results.units import Unit

Derive = Callable[[CompletedCell], float | None]
# Takes a cell's metrics by name, the metrics of the baseline's cell with the same seed, and the samples per epoch of
# the cell's row ÷ those of the baseline's row.
Compare = Callable[[Mapping[str, float], Mapping[str, float], float], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number per cell, whose mean over seeds is a column of a comparison.

    Args:
        name: The name in JSON, CSV and ``--metric``.
        heading: The column's heading.
        meaning: An explanation of the heading in a few words; empty if the heading needs none.
        unit: The unit and the number format.
        derive: Returns the value of a completed cell, or None if the value is unknown. Either ``derive`` or
            ``compare`` is set.
        compare: Returns the value from a cell's metrics and those of the baseline's cell with the same seed, or None if
            the value is unknown. A ratio of costs per epoch is converted to a ratio of costs for equally many samples.
        better: Whether ``higher`` or ``lower`` values are better.
        shown: The places that show the column by default, that is, without ``--metric``. ``table``: every table and the
            HTML page. ``wide``: tables with ``--wide``, and the HTML page. ``on request``: none.
        shown_for: The comparisons that show the column at these places by default. ``loss``: comparisons with language
            models, which are judged by their test loss. ``accuracy``: comparisons with other models. ``any``: all.
        shown_from: With 0.1, all tables and the HTML page show the column by default if the rows' largest mean is over
            10 % above their smallest, whatever ``shown`` and ``shown_for`` say. With None, only ``shown`` and
            ``shown_for`` decide.
        every_seed: True if a single cell without a value, such as a failed cell, leaves its row without a mean.
        exported_with: The name of a metric, often this one. JSON and CSV leave out this metric if no cell has a
            value of the named metric. None if JSON and CSV always include this metric.
        zero_is_missing: True if ``exported_with`` treats the value 0 of this metric like a missing value.
        of_gpus: True if the value covers all GPUs of the cell together.
        needs_interval: True if ``±?`` is printed after a mean that has no interval.
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
        """Return True if the largest mean in ``values`` is above (1 + ``shown_from``) × the smallest mean.

        Return False if ``shown_from`` is None.

        Args:
            values: The estimate of the metric for each row of a table; None for a row without a value.
        """
        means = [value.mean for value in values if value is not None]
        return self.shown_from is not None and bool(means) and max(means) > (1 + self.shown_from) * min(means)

    def best(self, values: Iterable[Estimate | None]) -> float | None:
        """Return the highest mean in ``values`` if ``better`` is ``higher``, else the lowest mean.

        Return None if ``values`` has no estimate.

        Args:
            values: The estimate of the metric for each row of a table; None for a row without a value.
        """
        means = [value.mean for value in values if value is not None]
        return (max if self.better == "higher" else min)(means) if means else None
