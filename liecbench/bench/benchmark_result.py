"""The result of a microbenchmark: a row of measured times and their physical limit for each operation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRow:
    """One operation's measured time beside its physical limit. Fields that do not apply are None.

    The limit is measured in the same run (a copy of the vector) or computed from the link's rate.

    Attributes:
        name: Name of the compressor, the algorithm, or the operation of torch.
        operation: The operation of the compressor, the kind of the algorithm's step, or ``send`` or ``collective``.
        size: Number of elements. In the link benchmark, number of bytes.
        seconds: Median seconds of the operation. In the exchange benchmark, the geometric mean over repeats.
        limit_seconds: The physical limit: the least seconds that the operation can take.
        ratio_low: The lower bound of the 95 % interval of ``ratio``, computed from the repeats.
        ratio_high: The upper bound of this interval.
        bits_per_parameter: Bits of a compressed message ÷ number of elements.
        server: Server mode of the algorithm: root or sharded.
        workers: Number of ranks.
        link: The link that every rank has.
        messages: Number of messages that are sent at once; None if one.
        payload_bytes: Payload bytes that the busiest rank sends, or receives if these are more.
        compress_seconds: Mean seconds of compression, which are a part of ``seconds``.
        step_seconds: Mean seconds of the whole step.
        asked_bits_per_second: Requested rate of the link's slower direction.
        achieved_bits_per_second: Measured rate. For a stream or a collective of the link benchmark, payload with
            headers ÷ ``seconds``. Otherwise the rate of the slowest link, measured when the links were shaped.
    """

    name: str
    operation: str
    size: int
    seconds: float
    limit_seconds: float
    ratio_low: float | None = None
    ratio_high: float | None = None
    bits_per_parameter: float | None = None
    server: str | None = None
    workers: int | None = None
    link: str | None = None
    messages: int | None = None
    payload_bytes: int | None = None
    compress_seconds: float | None = None
    step_seconds: float | None = None
    asked_bits_per_second: int | None = None
    achieved_bits_per_second: int | None = None

    @property
    def ratio(self) -> float:
        """``seconds`` ÷ ``limit_seconds``: 1 means that the operation is as fast as physically possible."""
        return self.seconds / self.limit_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """A benchmark's rows, an explanation of the rows' columns, and one message per failure."""

    rows: tuple[BenchmarkRow, ...]
    legend: str
    failures: tuple[str, ...] = ()
