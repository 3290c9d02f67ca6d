"""Explanations of column headings that are too short to explain themselves."""

from typing import Final

from liecbench.results.metric_row import Metric

_MEANINGS: Final = {
    "seconds_per_epoch": "training time of an epoch in seconds, of the slowest rank",
    "exposed_seconds_per_epoch": "of these seconds, those in which training waits for communication",
    "payload_bytes_per_epoch": "bytes that the method sends and receives, per rank and epoch",
    "wire_bytes_per_epoch": "bytes that the link carried: payload with headers and retransmissions",
    "bytes_ratio": "the baseline's payload ÷ the row's",
    "speedup": "the baseline's seconds per epoch ÷ the row's",
    "speedup_over_dense": "seconds per epoch of the fastest row without compression ÷ the row's",
    "accuracy_difference": "accuracy minus the baseline's, in points, over the same seeds",
    "loss_difference": "test loss minus the baseline's, in nats, over the same seeds",
    "compute_utilization": "share of an epoch in which the model and the optimizer compute",
    "memory_bytes": "what the method keeps between steps, on the rank with the most",
}


def meaning(metric: Metric) -> str:
    """Return what a metric's heading stands for; empty if the heading says it."""
    return _MEANINGS.get(metric.name, "")
