"""The metrics that compare one row with another, usually the baseline."""

from typing import Final

from liecbench.results.metric_functions import (
    PERPLEXITY_NAME,
    accuracy_difference,
    baseline_ratio,
    loss_difference,
    of_the_row,
)
from liecbench.results.metric_row import Metric
from liecbench.results.units import LOSS_DIFFERENCE, POINTS, RATIO, RATIO_RANGE

BASELINE_METRICS: Final = (
    Metric(
        name="bytes_ratio",
        heading="bytes÷",
        meaning="the baseline's payload ÷ the row's, for as many samples",
        unit=RATIO,
        compare=baseline_ratio("payload_bytes_per_epoch"),
        better="higher",
        shown="table",
    ),
    Metric(
        name="speedup",
        heading="speed-up",
        meaning="the baseline's training time ÷ the row's, for as many samples",
        unit=RATIO_RANGE,
        compare=baseline_ratio("seconds_per_epoch"),
        better="higher",
        shown="table",
        needs_interval=True,
    ),
    Metric(
        name="speedup_over_dense",
        heading="vs dense",
        meaning="training time of the fastest row without compression ÷ the row's, for as many samples",
        unit=RATIO_RANGE,
        compare=of_the_row,
        better="higher",
        shown="table",
        needs_interval=True,
    ),
    Metric(
        name="accuracy_difference",
        heading="accuracy Δ",
        meaning="accuracy minus the baseline's, in points, over the same seeds",
        unit=POINTS,
        compare=accuracy_difference,
        better="higher",
        shown="wide",
        needs_interval=True,
    ),
    Metric(
        name="loss_difference",
        heading="loss Δ",
        meaning="test loss minus the baseline's, in nats, over the same seeds",
        unit=LOSS_DIFFERENCE,
        compare=loss_difference,
        shown="wide",
        exported_with=PERPLEXITY_NAME,
        needs_interval=True,
    ),
)
