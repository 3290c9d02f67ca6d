"""The result of a microbenchmark: one row per operation, with the measured time and its limit."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRow:
    """One operation's measured time, and the limit with which the time is compared.

    Fields that do not apply are None.

    Attributes:
        name: Name of the compressor or the algorithm. In the link benchmark, name of the operation, such as
            ``round_trip``.
        operation: The timed operation of the compressor, such as ``compress``, or the timed step of the algorithm, such
            as ``averaging_step``. In the link benchmark, ``send`` or ``collective``.
        size: Number of elements. In the link benchmark, number of bytes.
        seconds: The median seconds of the operation. There are two exceptions:

            - In the exchange benchmark: the seconds of compression and communication in a step, as the geometric mean
              over rounds.
            - For ``after_idle`` (messages after a pause) in the link benchmark: the median without the seconds that one
              message takes on an unshaped link.
        limit_seconds: For a compressor, the median seconds of a copy of the vector. For a link or an exchange, the
            bytes ÷ the requested rate, plus the delays.
        ratio_low: In the exchange benchmark, the lower end of the 95 % interval of ``seconds`` ÷ ``limit_seconds``.
        ratio_high: In the exchange benchmark, the upper end of the 95 % interval.
        bits_per_parameter: Bits of a compressed message ÷ number of elements.
        server: Server mode of the algorithm: root or sharded.
        workers: Number of ranks.
        link: The link of every rank, as text such as ``100mbit``.
        messages: Number of messages that ``after_idle`` sends back to back; None for all other operations.
        payload_bytes: Payload bytes that the busiest rank sends, or receives if these are more.
        compress_seconds: In the exchange benchmark, the seconds of compression in a step: the mean over rounds.
        step_seconds: In the exchange benchmark, the seconds of the whole step: the mean over rounds.
        asked_bits_per_second: Requested rate of the link's slower direction.
        achieved_bits_per_second: Measured rate. In the exchange benchmark and for ``round_trip``, the lowest rate of
            all links, measured when the links were shaped. For the other operations of the link benchmark, the rate
            of the operation's own bytes, with headers.
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
        """``seconds`` ÷ ``limit_seconds``; 1 if the operation takes as long as the limit."""
        return self.seconds / self.limit_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """A benchmark's rows, an explanation of the rows' columns, and one message per failure."""

    rows: tuple[BenchmarkRow, ...]
    legend: str
    failures: tuple[str, ...] = ()
