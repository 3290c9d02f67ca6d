"""Create metrics of four kinds.

The kinds are: mean seconds per epoch, costs until the target accuracy or loss is reached, means of GPU readings, and
shares of GPU samples with throttled clocks.
"""

import operator
from collections.abc import Callable
from typing import Literal

from liecbench.results import gpu_metrics
from liecbench.results.metric_row import Metric
from liecbench.results.records import Epoch
from liecbench.results.units import FRACTION, SECONDS, Unit


def mean_seconds(
    name: str,
    heading: str,
    field: str,
    *,
    meaning: str = "",
    shown: Literal["table", "on request"] = "on request",
) -> Metric:
    """Return a metric: the mean seconds per epoch in ``field``, scaled up from timed steps to all steps.

    ``field`` is the name of a field of ``Epoch``, such as ``train_seconds``. All other arguments are the attributes of
    ``Metric`` with these names.
    """
    return Metric(
        name=name,
        heading=heading,
        meaning=meaning,
        unit=SECONDS,
        derive=operator.methodcaller("seconds_per_epoch", field),
        shown=shown,
    )


def to_target(
    name: str,
    heading: str,
    unit: Unit,
    cost: Callable[[Epoch], float | None],
    *,
    exported_with: str | None = None,
    of_gpus: bool = False,
) -> Metric:
    """Return a metric that adds up ``cost`` over the epochs until the target is reached.

    ``cost`` returns the cost of one epoch, such as its seconds, or None if it is unknown. All other arguments are the
    attributes of ``Metric`` with these names.
    """
    return Metric(
        name=name,
        heading=heading,
        meaning="total of the epochs until the target is reached",
        unit=unit,
        derive=lambda cell: cell.to_target(cost),
        shown="wide",
        every_seed=True,
        exported_with=exported_with,
        of_gpus=of_gpus,
    )


def gpu_mean(
    name: str,
    heading: str,
    unit: Unit,
    field: str,
    *,
    better: Literal["higher", "lower"] = "lower",
    shown: Literal["table", "on request"] = "on request",
) -> Metric:
    """Return a metric of GPUs: the mean of a field of ``Epoch.gpu`` over the epochs that have the field.

    Args:
        name: The metric's name, such as ``joules_per_epoch``.
        heading: The column's heading, such as ``J/epoch``.
        unit: The unit and the number format.
        field: The name of the field, such as ``energy_joules``.
        better: The direction in which the metric improves.
        shown: ``table`` if every table shows the column by default, ``on request`` if only ``--metric`` shows it.
    """
    return Metric(
        name=name,
        heading=heading,
        unit=unit,
        derive=lambda cell: gpu_metrics.mean(cell.epochs, field),
        better=better,
        shown=shown,
        exported_with=name,
        of_gpus=True,
    )


def throttling_reason(reason: str) -> Metric:
    """Return a metric: the share of samples in which ``reason``, such as ``power_cap``, lowered the GPUs' clocks."""
    name = f"throttled_{reason}_share"
    return Metric(
        name=name,
        heading=gpu_metrics.reason_text(name),
        unit=FRACTION,
        derive=lambda cell: gpu_metrics.throttling_shares(cell.epochs).get(name),
        exported_with=name,
        zero_is_missing=True,
        of_gpus=True,
    )
