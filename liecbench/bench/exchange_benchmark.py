"""The benchmark ``liecbench bench exchange``: compression and communication time in a training step, and its limit.

The limit is payload ÷ link rate.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from liecbench.bench.bench_launch import BYTES_PER_RANK, Report, run_ranks
from liecbench.bench.benchmark_result import BenchmarkResult, BenchmarkRow
from liecbench.errors import LiecbenchError
from liecbench.host.machine import check_memory
from liecbench.launch.messages import BenchmarkPlan, StepCase
from liecbench.network.quantity import format_rate
from liecbench.network.quantity_text import parse_rate
from liecbench.results.ratio_interval import ratio_interval

# Parameters, their fixed gradients, DDP's buckets, and the vectors that an algorithm stores or sends.
_BYTES_PER_ELEMENT_AND_RANK = 40
# Skip a step that sends uncompressed vectors if sending its payload alone takes longer than this.
_MAX_DENSE_SECONDS = 2.0
_LEGEND = (
    "time: compression and communication in a step, on the slowest rank; compress: the compression in it\n"
    "step: the whole step\n"
    "limit: payload of the busiest rank's busier direction ÷ rate; ratio: time ÷ limit, and its 95 % interval\n"
    "the steps of a link were measured in turns, in rounds of random order"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One kind of step of one algorithm.

    ``dense_trips`` is the number of times per step that the whole vector is sent and received uncompressed.
    """

    name: str
    operation: str
    compressor: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    dense_trips: int = 0

    @property
    def server(self) -> str | None:
        return self.options.get("server")

    def plan(self, rate: int, size: int) -> StepCase:
        """Return the case in the form that is sent to the ranks.

        ``rate`` is the link rate in bits per second, and ``size`` the number of parameters.
        """
        return StepCase(
            size=size,
            link=format_rate(rate),
            algorithm=self.name,
            compressor=self.compressor,
            options=self.options,
            warmup_steps=1 if self.dense_trips else 2,
            timed_steps=1 if self.dense_trips else 3,
        )

    def __str__(self) -> str:
        return " ".join([self.name, self.operation.replace("_", " "), *([self.server] if self.server else [])])


def _liec(operation: str, average_period: int, server: str, dense_trips: int = 0) -> _Case:
    options = {"average_period": average_period, "server": server}
    return _Case(name="liec", operation=operation, compressor="sign", options=options, dense_trips=dense_trips)


_CASES = (
    _liec("compressed_step", 10**9, "sharded"),
    _liec("compressed_step", 10**9, "root"),
    _liec("averaging_step", 1, "sharded", dense_trips=2),
    _Case(name="psgd", operation="dense_step", options={"server": "sharded"}, dense_trips=1),
    _Case(name="ddp", operation="all_reduce", dense_trips=1),
)


def parse_rates(texts: Sequence[str]) -> list[int]:
    """Parse the values of ``--rate``, and drop duplicates.

    Args:
        texts: Rates such as ``100mbit``.

    Returns:
        Rates in bits per second.

    Raises:
        LiecbenchError: If a text is not a rate that links can be shaped to.
    """
    rates = []
    for text in texts:
        try:
            rates.append(parse_rate(text))
        except ValueError as error:
            raise LiecbenchError(f"--rate {text}: {error}") from None
    return list(dict.fromkeys(rates))


def benchmark_exchange(size: int, workers: int, rates: Sequence[int], say: Callable[[str], None]) -> BenchmarkResult:
    """Time steps of LIEC with the sign compressor, of P-SGD and of DDP, at each link rate.

    Steps that would take too long at a rate are skipped.

    Args:
        size: Number of parameters.
        workers: Number of ranks.
        rates: Rates of the links, in bits per second.
        say: Prints a line of progress.

    Returns:
        One row per step and rate. If the launch failed, only the rows before the failure, and the reason.

    Raises:
        MachineError: If memory does not suffice, or the kernel refuses shaped links.
    """
    needed_bytes = workers * (BYTES_PER_RANK + size * _BYTES_PER_ELEMENT_AND_RANK)
    check_memory(f"--size {size} --workers {workers}", needed_bytes, "give a smaller --size or fewer --workers")
    measured = [(case, rate) for rate in rates for case in _CASES if not _too_slow(case, size, workers, rate)]
    for line in _skipped(size, workers, rates):
        say(line)
    plan = BenchmarkPlan(steps=tuple(case.plan(rate, size) for case, rate in measured))
    labels = [f"{format_rate(rate)}: {case}" for case, rate in measured]
    reports, failure = run_ranks(plan, labels, workers, say)
    rows = [_row(case, rate, size, workers, report) for (case, rate), report in zip(measured, reports, strict=False)]
    return BenchmarkResult(rows=tuple(rows), legend=_LEGEND, failures=(failure,) if failure else ())


def _too_slow(case: _Case, size: int, workers: int, rate: int) -> bool:
    each_way_bits = 32 * size * 2 * (workers - 1) / workers
    return case.dense_trips * each_way_bits / rate > _MAX_DENSE_SECONDS


def _skipped(size: int, workers: int, rates: Sequence[int]) -> Iterator[str]:
    for rate in rates:
        if slow := [str(case) for case in _CASES if _too_slow(case, size, workers, rate)]:
            steps = f"more than {_MAX_DENSE_SECONDS:.0f} s on the wire alone"
            yield f"{format_rate(rate)}: skipped, because a step takes {steps}: {', '.join(slow)}"


def _row(case: _Case, rate: int, size: int, workers: int, report: Report) -> BenchmarkRow:
    rounds = report.figures["rounds"]
    payload_bytes = max(figures["payload_bytes"] for figures in rounds)
    limit_seconds = 8 * payload_bytes / rate
    # Every round has a model and buffers of its own, so that it is a placement.
    ratio = ratio_interval([[math.log(figures["exchange_seconds"] / limit_seconds)] for figures in rounds])
    return BenchmarkRow(
        name=case.name,
        operation=case.operation,
        size=size,
        seconds=ratio.mean * limit_seconds,
        limit_seconds=limit_seconds,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        server=case.server,
        workers=workers,
        link=format_rate(rate),
        payload_bytes=payload_bytes,
        compress_seconds=statistics.fmean(figures["compress_seconds"] for figures in rounds),
        step_seconds=statistics.fmean(figures["step_seconds"] for figures in rounds),
        asked_bits_per_second=rate,
        achieved_bits_per_second=report.achieved_bits_per_second,
    )
