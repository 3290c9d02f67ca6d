"""The benchmark ``liecbench bench exchange``: the seconds of compression and communication in a training step.

The benchmark also computes a lower limit of the seconds: payload ÷ link rate, plus the delays of the messages that are
sent one after the other.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from liecbench.bench.bench_launch import BYTES_PER_RANK, Report, run_ranks
from liecbench.bench.benchmark_result import BenchmarkResult, BenchmarkRow
from liecbench.host.machine import check_memory
from liecbench.launch.plans import BenchmarkPlan, StepCase
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.prediction.exchange_limits import MOST_DENSE_SECONDS
from liecbench.results.ratio_interval import ratio_interval

# Parameters, their fixed gradients, DDP's buckets, and the vectors that an algorithm stores or sends.
_BYTES_PER_ELEMENT_AND_RANK = 40
_LEGEND = (
    "time: compression and communication in a step, on the slowest rank; compress: the compression in it\n"
    "step: the whole step\n"
    "limit: payload of the busiest rank's busier direction ÷ rate, plus the delays of messages that wait for others\n"
    "ratio: time ÷ limit, and its 95 % interval\n"
    "the steps of a link were measured in turns, in rounds of random order"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One kind of step of one algorithm.

    ``dense_trips`` is the number of times per step that the ranks average a whole vector (the gradients or the model)
    without compression; 0 if the step sends compressed messages.
    """

    name: str
    operation: str
    compressor: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    dense_trips: int = 0

    def limit_seconds(self, payload_bytes: int, link: Link, workers: int) -> float:
        """Return the least seconds that a step's communication can take: payload ÷ link rate, plus message delays.

        An exchange with servers takes 2 messages, one after the other. A ring all-reduce among n ranks takes 2(n − 1).
        A step with servers has ``dense_trips`` exchanges, but at least one. Each message passes two links. With 4 ranks
        and a delay of 10 ms per link, an exchange adds 2 · 2 · 10 = 40 ms, and a ring all-reduce adds
        6 · 2 · 10 = 120 ms.

        Args:
            payload_bytes: The payload bytes of the busiest rank in its busier direction.
            link: The link of every rank.
            workers: The number of ranks.
        """
        messages = 2 * (workers - 1) if self.server is None else 2 * max(1, self.dense_trips)
        return 8 * payload_bytes / link.lower_bits_per_second + messages * 2 * link.delay_seconds

    @property
    def server(self) -> str | None:
        return self.options.get("server")

    def plan(self, link: LinkMap, size: int) -> StepCase:
        """Return the case in the form that is sent to the ranks; ``size`` is the number of parameters."""
        return StepCase(
            size=size,
            link=link.spec(),
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


def benchmark_exchange(
    size: int, workers: int, links: Sequence[LinkMap], say: Callable[[str], None]
) -> BenchmarkResult:
    """Time training steps of three methods over each link: LIEC with the sign compressor, P-SGD, and DDP.

    Kinds of steps that would take too long over a link are skipped.

    Args:
        size: Number of parameters.
        workers: Number of ranks.
        links: The links to measure, one after the other.
        say: Prints a line of progress.

    Returns:
        One row per link and kind of step. If the launch failed, only the rows before the failure, and the reason.

    Raises:
        MachineError: If memory does not suffice, or the kernel refuses shaped links.
    """
    needed_bytes = workers * (BYTES_PER_RANK + size * _BYTES_PER_ELEMENT_AND_RANK)
    check_memory(f"--size {size} --workers {workers}", needed_bytes, "give a smaller --size or fewer --workers")
    measured = [(case, link) for link in links for case in _CASES if not _too_slow(case, size, workers, link)]
    for line in _skipped(size, workers, links):
        say(line)
    plan = BenchmarkPlan(steps=tuple(case.plan(link, size) for case, link in measured))
    labels = [f"{link}: {case}" for case, link in measured]
    reports, failure = run_ranks(plan, labels, workers, say)
    rows = [_row(case, link, size, workers, report) for (case, link), report in zip(measured, reports, strict=False)]
    return BenchmarkResult(rows=tuple(rows), legend=_LEGEND, failures=(failure,) if failure else ())


def _asked(link: LinkMap) -> Link:
    assert link.default is not None, "a benchmark's links are shaped"
    return link.default


def _too_slow(case: _Case, size: int, workers: int, link: LinkMap) -> bool:
    each_way_bits = 32 * size * 2 * (workers - 1) / workers
    return case.dense_trips * each_way_bits / _asked(link).lower_bits_per_second > MOST_DENSE_SECONDS


def _skipped(size: int, workers: int, links: Sequence[LinkMap]) -> Iterator[str]:
    for link in links:
        if slow := [str(case) for case in _CASES if _too_slow(case, size, workers, link)]:
            steps = f"more than {MOST_DENSE_SECONDS:.0f} s on the wire alone"
            yield f"{link}: skipped, because a step takes {steps}: {', '.join(slow)}"


def _row(case: _Case, link: LinkMap, size: int, workers: int, report: Report) -> BenchmarkRow:
    rounds = report.figures["rounds"]
    payload_bytes = max(figures["payload_bytes"] for figures in rounds)
    limit_seconds = case.limit_seconds(payload_bytes, _asked(link), workers)
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
        link=str(link),
        payload_bytes=payload_bytes,
        compress_seconds=statistics.fmean(figures["compress_seconds"] for figures in rounds),
        step_seconds=statistics.fmean(figures["step_seconds"] for figures in rounds),
        asked_bits_per_second=_asked(link).lower_bits_per_second,
        achieved_bits_per_second=report.achieved_bits_per_second,
    )
