"""The parts into which an epoch's time is divided: computing, transfer, compressing, and latency and waiting."""

from typing import Final

from liecbench.results.rows import Row

# Records of earlier versions have the last part in place of the parts "transfer" and "latency and waiting".
PARTS: Final = ("computing", "transfer", "compressing", "latency and waiting", "waiting for the network")
_METRICS: Final = {
    "computing": "compute_seconds_per_epoch",
    "transfer": "wire_seconds_per_epoch",
    "compressing": "exposed_compress_seconds_per_epoch",
    "latency and waiting": "other_seconds_per_epoch",
}
_UNDIVIDED: Final = ("compute", "exposed", "compress", "communicate")


def row_parts(row: Row) -> dict[str, float]:
    """Return the seconds of each part of an epoch, such as ``computing``. Their sum is the seconds per epoch.

    The keys are names from ``PARTS``. Exposed time is the time in which training waits for compression and
    communication. Records of earlier versions do not divide exposed time into parts. For these records, exposed time
    is divided between ``compressing`` and ``waiting for the network``, in proportion to the total times of compression
    and communication.
    """
    estimates = {part: row.metrics[name] for part, name in _METRICS.items()}
    known = {part: value.mean for part, value in estimates.items() if value is not None}
    if len(known) == len(_METRICS):
        return known
    compute, exposed, compress, communicate = (_mean(row, name) for name in _UNDIVIDED)
    share = compress / (compress + communicate) if compress + communicate else 0.0
    return {"computing": compute, "compressing": exposed * share, "waiting for the network": exposed * (1 - share)}


def _mean(row: Row, name: str) -> float:
    """Return the mean of a row's metric ``<name>_seconds_per_epoch`` over seeds; 0 if the metric has no value."""
    value = row.metrics[f"{name}_seconds_per_epoch"]
    return 0.0 if value is None else value.mean
