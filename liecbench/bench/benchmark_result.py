"""The result of a microbenchmark: rows of times beside their physical limits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRow:
    """One operation beside its physical limit, both measured in the same run; fields that do not apply are None.

    Attributes:
        name: Name of the compressor, the algorithm, or the operation of torch.
        operation: The operation of the compressor, the kind of the algorithm's step, or ``send`` or ``collective``.
        size: Number of elements; in the link benchmark, number of bytes.
        seconds: Median seconds of the operation.
        limit_seconds: The physical limit: the least seconds that the operation can take.
        bits_per_parameter: Bits of a compressed message ÷ number of elements.
        server: Server mode of the algorithm: root or sharded.
        workers: Number of ranks.
        link: The link that every rank has.
        payload_bytes: Payload bytes of the busiest rank in its busier direction.
        compress_seconds: Median seconds of compression, which are a part of ``seconds``.
        step_seconds: Median seconds of the whole step.
        asked_bits_per_second: Requested rate of the link's slower direction.
        achieved_bits_per_second: Measured rate: of the operation itself if the link benchmark times it in one
            direction, otherwise of the slowest link when the links were shaped.
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
        """``seconds`` ÷ ``limit_seconds``."""
        return self.seconds / self.limit_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """A benchmark's rows, an explanation of their columns, and one message per failure."""

    rows: tuple[BenchmarkRow, ...]
    legend: str
    failures: tuple[str, ...] = ()
