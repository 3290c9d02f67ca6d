"""What a benchmark finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One operation: the median of its times beside its physical limit in the same run; None where a field is moot."""

    name: str
    operation: str
    size: int
    seconds: float
    limit_seconds: float
    bits_per_parameter: float | None = None
    server: str | None = None
    workers: int | None = None
    link: str | None = None
    payload_bytes: int | None = None
    compress_seconds: float | None = None
    step_seconds: float | None = None
    asked_bits_per_second: int | None = None
    achieved_bits_per_second: int | None = None

    @property
    def ratio(self) -> float:
        """How many times the limit it takes."""
        return self.seconds / self.limit_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """A benchmark's rows, what their figures are, and what could not be measured: a failure takes no row with it."""

    rows: tuple[Row, ...]
    legend: str
    failures: tuple[str, ...] = ()
