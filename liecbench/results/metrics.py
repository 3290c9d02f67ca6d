"""The table of all metrics: an entry adds a metric to ``--metric``, to every format and to the HTML page."""

import statistics
from collections.abc import Iterable, Mapping
from typing import Final

from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.results import gpu_metrics
from liecbench.results.baseline_metrics import BASELINE_METRICS
from liecbench.results.equal_work import samples_per_epoch
from liecbench.results.metric_families import gpu_mean, mean_seconds, throttling_reason, to_target
from liecbench.results.metric_functions import (
    PERPLEXITY_NAME,
    compute_utilization,
    memory_bytes,
    optimizer_bytes,
    perplexity,
    tokens,
    tokens_per_second,
    wire_bytes,
)
from liecbench.results.metric_row import Metric
from liecbench.results.units import (
    BYTES,
    EPOCHS,
    FRACTION,
    HERTZ,
    JOULES,
    LOSS,
    PERPLEXITY,
    SAMPLES,
    SECONDS,
    TOKENS,
    TOKENS_PER_SECOND,
    WATTS,
)

_ROWS: Final = (
    Metric(
        name="test_accuracy",
        heading="accuracy",
        unit=FRACTION,
        derive=lambda cell: cell.epochs[-1].test_accuracy,
        better="higher",
        shown="table",
        shown_for="accuracy",
    ),
    Metric(
        name="test_loss",
        heading="test loss",
        unit=LOSS,
        derive=lambda cell: cell.epochs[-1].test_loss,
        shown="table",
        shown_for="loss",
    ),
    Metric(
        name=PERPLEXITY_NAME,
        heading="perplexity",
        meaning="e to the power of the test loss",
        unit=PERPLEXITY,
        derive=perplexity,
        shown="wide",
        exported_with=PERPLEXITY_NAME,
    ),
    mean_seconds(
        "seconds_per_epoch",
        "s/epoch",
        "train_seconds",
        meaning="training time of an epoch in seconds, of the slowest rank",
        shown="table",
    ),
    Metric(
        name="tokens_per_second",
        heading="tokens/s",
        meaning="tokens that all ranks together train on per second",
        unit=TOKENS_PER_SECOND,
        derive=tokens_per_second,
        better="higher",
        shown="table",
        exported_with="tokens",
    ),
    mean_seconds(
        "exposed_seconds_per_epoch",
        "exposed",
        "exposed_seconds",
        meaning="of these seconds, those in which training waits for communication",
        shown="table",
    ),
    Metric(
        name="payload_bytes_per_epoch",
        heading="payload",
        meaning="bytes that the method sends and receives, per rank and epoch",
        unit=BYTES,
        derive=lambda cell: statistics.fmean([epoch.payload_bytes_per_rank for epoch in cell.costly_epochs]),
        shown="table",
    ),
    Metric(
        name="wire_bytes_per_epoch",
        heading="wire",
        meaning="bytes that the link carried: payload with headers and retransmissions",
        unit=BYTES,
        derive=wire_bytes,
        shown="table",
    ),
    gpu_mean("joules_per_epoch", "J/epoch", JOULES, "energy_joules", shown="table"),
    gpu_mean("gpu_utilisation", "GPU use", FRACTION, "utilisation", better="higher", shown="table"),
    *BASELINE_METRICS,
    Metric(
        name="train_loss",
        heading="train loss",
        unit=LOSS,
        derive=lambda cell: cell.epochs[-1].train_loss,
        shown="wide",
    ),
    to_target(
        "seconds_to_target", "s to target", SECONDS, lambda epoch: epoch.train_seconds if epoch.timed_steps else None
    ),
    Metric(
        name="epochs_to_target",
        heading="epochs to target",
        meaning="epochs until the target is reached",
        unit=EPOCHS,
        derive=lambda cell: cell.epochs_to_target,
        shown="wide",
        every_seed=True,
    ),
    Metric(
        name="samples_per_epoch",
        heading="samples/epoch",
        meaning="samples that all ranks together train on in an epoch",
        unit=SAMPLES,
        derive=lambda cell: samples_per_epoch(cell.epochs),
        better="higher",
        exported_with="samples_per_epoch",
    ),
    Metric(
        name="tokens",
        heading="tokens",
        unit=TOKENS,
        derive=tokens,
        exported_with="tokens",
    ),
    to_target("tokens_to_target", "tokens to target", TOKENS, lambda epoch: epoch.tokens, exported_with="tokens"),
    to_target("bytes_to_target", "B to target", BYTES, lambda epoch: epoch.payload_bytes_per_rank),
    to_target(
        "joules_to_target",
        "J to target",
        JOULES,
        lambda epoch: gpu_metrics.joules([epoch]),
        exported_with="joules_per_epoch",
        of_gpus=True,
    ),
    mean_seconds("compute_seconds_per_epoch", "compute", "compute_seconds"),
    mean_seconds("compress_seconds_per_epoch", "compress", "compress_seconds"),
    mean_seconds("wire_seconds_per_epoch", "exposed wire", "exposed_wire_seconds"),
    mean_seconds("exposed_compress_seconds_per_epoch", "exposed compress", "exposed_compress_seconds"),
    mean_seconds("other_seconds_per_epoch", "other", "other_seconds"),
    Metric(
        name="compute_utilization",
        heading="compute use",
        meaning="share of an epoch in which the model and the optimizer compute",
        unit=FRACTION,
        derive=compute_utilization,
        better="higher",
        shown="wide",
    ),
    Metric(
        name="memory_bytes",
        heading="memories",
        meaning="what the method keeps between steps, on the rank with the most",
        unit=BYTES,
        derive=memory_bytes,
        shown_from=0.0,
    ),
    Metric(
        name="optimizer_bytes",
        heading="optimizer memory",
        meaning="the optimizer's states, such as momentum, on rank 0",
        unit=BYTES,
        derive=optimizer_bytes,
        shown="wide",
        exported_with="optimizer_bytes",
    ),
    Metric(
        name="peak_memory_bytes",
        heading="peak memory",
        meaning="the largest memory of a process",
        unit=BYTES,
        derive=lambda cell: float(max(epoch.peak_memory_bytes for epoch in cell.epochs)),
        shown_from=0.1,
    ),
    mean_seconds("communicate_seconds_per_epoch", "communicate", "communicate_seconds"),
    Metric(
        name="gpu_peak_memory_bytes",
        heading="GPU memory",
        unit=BYTES,
        derive=lambda cell: max(gpu_metrics.values(cell.epochs, "peak_memory_bytes"), default=None),
        exported_with="gpu_peak_memory_bytes",
        of_gpus=True,
    ),
    gpu_mean("power_watts", "GPU W", WATTS, "power_watts"),
    gpu_mean("sm_clock_hertz", "SM clock", HERTZ, "sm_clock_hertz", better="higher"),
    gpu_mean("pcie_sent_bytes_per_epoch", "PCIe sent", BYTES, "pcie_sent_bytes"),
    gpu_mean("pcie_received_bytes_per_epoch", "PCIe received", BYTES, "pcie_received_bytes"),
    gpu_mean("nvlink_sent_bytes_per_epoch", "NVLink sent", BYTES, "nvlink_sent_bytes"),
    gpu_mean("nvlink_received_bytes_per_epoch", "NVLink received", BYTES, "nvlink_received_bytes"),
    gpu_mean("throttled_share", "throttled", FRACTION, "throttled_share"),
    *map(throttling_reason, gpu_metrics.REASONS),
)
METRICS: Final = {metric.name: metric for metric in _ROWS}


def exported_metrics(cells: Iterable[Mapping[str, float]]) -> list[str]:
    """Return the names of the metrics that JSON and CSV include for ``cells``, in the order of ``METRICS``.

    A metric whose ``exported_with`` is None is always included. A metric whose ``exported_with`` is, for example,
    ``tokens`` is included if at least one cell has a value of ``tokens``. The value 0 of a metric whose
    ``zero_is_missing`` is True counts as no value.

    Args:
        cells: For each cell, the values of its metrics by name.
    """
    known = {name for cell in cells for name, value in cell.items() if value or not METRICS[name].zero_is_missing}
    return [metric.name for metric in METRICS.values() if metric.exported_with is None or metric.exported_with in known]


def check_names(names: Iterable[str]) -> None:
    """Raise LiecbenchError if one of the names, given with ``--metric``, is not a metric."""
    for name in names:
        if name not in METRICS:
            raise LiecbenchError(f"--metric {name}: there is no such metric", did_you_mean(name, METRICS))
