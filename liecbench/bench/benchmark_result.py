"""The result of a microbenchmark: rows of times beside their physical limits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRow:
    """One operation beside its physical limit, both measured in the same run; fields that do not apply are None.

    Attributes:
        name: What is measured: a compressor, an algorithm, or an operation of torch.
        operation: The operation of it.
        size: Elements, or bytes in the link benchmark.
        seconds: Median time.
        limit_seconds: The physical limit.
        bits_per_parameter: Size of a compressed message.
        server: Server mode of the algorithm.
        workers: Number of ranks.
        link: The link of every rank.
        payload_bytes: Payload of the busiest rank's busier direction.
        compress_seconds: Median part of ``seconds`` that is compression.
        step_seconds: Median time of the whole step.
        asked_bits_per_second: Requested rate of the slower direction.
        achieved_bits_per_second: Measured rate.
    """

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
        """Time ÷ limit."""
        return self.seconds / self.limit_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """A benchmark's rows, with an explanation of its columns, and a message per case that failed."""

    rows: tuple[BenchmarkRow, ...]
    legend: str
    failures: tuple[str, ...] = ()
