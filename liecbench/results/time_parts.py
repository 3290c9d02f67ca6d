"""The parts into which an epoch's time is divided: computing, transfer, compressing, and latency and waiting."""

from dataclasses import dataclass
from typing import Final

from liecbench.results.rows import Row

# In records of earlier versions, the last part stands for transfer, latency and waiting together.
PARTS: Final = ("computing", "transfer", "compressing", "latency and waiting", "waiting for the network")
_METRICS: Final = {
    "computing": "compute_seconds_per_epoch",
    "transfer": "wire_seconds_per_epoch",
    "compressing": "exposed_compress_seconds_per_epoch",
    "latency and waiting": "other_seconds_per_epoch",
}
_FIELDS: Final = ("compute", "exposed", "compress", "communicate")


def row_parts(row: Row) -> dict[str, float]:
    """Return a row's seconds per epoch by the name of the part; they sum to the seconds of an epoch.

    If the records tell only computing and exposed time, exposed time is divided in proportion to compression and
    communication.
    """
    estimates = {part: row.metrics[name] for part, name in _METRICS.items()}
    known = {part: value.mean for part, value in estimates.items() if value is not None}
    if len(known) == len(_METRICS):
        return known
    computing, compressing, waiting = EpochSeconds.of_row(row).parts
    return {"computing": computing, "compressing": compressing, "waiting for the network": waiting}


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochSeconds:
    """The seconds of an epoch in records that do not divide them.

    Attributes:
        compute: Training time without ``exposed``.
        exposed: Compression and communication that computing does not hide.
        compress: All compression, hidden or exposed.
        communicate: All communication, hidden or exposed.
    """

    compute: float
    exposed: float
    compress: float
    communicate: float

    @classmethod
    def of_row(cls, row: Row) -> "EpochSeconds":
        """Return a row's means over seeds; 0 for each that is unknown."""
        estimates = {name: row.metrics[f"{name}_seconds_per_epoch"] for name in _FIELDS}
        return cls(**{name: 0.0 if value is None else value.mean for name, value in estimates.items()})

    @property
    def parts(self) -> tuple[float, float, float]:
        """``compute``, then ``exposed``, divided in the proportion of ``compress`` to ``communicate``."""
        busy = self.compress + self.communicate
        share = self.compress / busy if busy else 0.0
        return self.compute, self.exposed * share, self.exposed * (1 - share)
