"""The benchmark ``liecbench bench link``: measured rates of shaped links, and times of torch's operations over them."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from liecbench.algorithms.comm.pacing import framed_bytes
from liecbench.bench.bench_launch import BYTES_PER_RANK, Report, run_ranks
from liecbench.bench.benchmark_result import BenchmarkResult, BenchmarkRow
from liecbench.host.machine import check_memory
from liecbench.launch.plans import BenchmarkPlan, TransferCase
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap

_MAX_SECONDS = 14.0
_REPEATED_SECONDS = 2.0
_MAX_REPEATS = 9
# (messages, bytes of each) that are sent after idle time. 821 bytes are a small block's signs and scale.
_AFTER_IDLE = ((3, 821), (6, 821), (3, 4096), (3, 16384), (3, 65536))
_AFTER_IDLE_REPEATS = 200
_AFTER_IDLE_SECONDS = 4.0
# A stream sends up to this many bytes for up to this many seconds, so that the burst from a full token bucket is only a
# small part of it. On a link with a delay it takes at least so many round trips, because its start takes one.
_STREAMED_BYTES = 2**22
_STREAMED_SECONDS = 1.0
_STREAMED_ROUND_TRIPS = 10
# Gloo takes 50 to 100 µs of CPU per message, so that a stream of tiny messages would take minutes.
_MOST_STREAMED = 4096
_LEGEND = (
    "stream: one of many messages sent back to back between pairs of ranks; round_trip: a byte there and back\n"
    "after_idle: small messages at once after a pause, without the time that one takes over an unshaped link\n"
    "others: torch's collectives, of the size that each rank contributes\n"
    "limit: payload of the busiest rank's busier direction, with the headers of its frames, ÷ rate; "
    "for a round trip the delays of its four links and their frames\n"
    "of rate: that payload with headers ÷ time; for a round trip the rate measured when the link was shaped"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """An operation of torch over ``link`` on a message of ``size`` bytes.

    ``messages`` is above 1 only for the operation ``after_idle``, which sends this many messages back to back.
    """

    operation: str
    size: int
    link: LinkMap
    messages: int = 1

    @property
    def asked(self) -> Link:
        """The requested link, which is equal for all workers."""
        assert self.link.default is not None, "a benchmark's links are shaped"
        return self.link.default

    def payload_bytes(self, workers: int) -> int:
        """Return the payload bytes that the busiest rank sends or receives, whichever is more.

        An ideal algorithm is assumed, which sends as little as the operation permits. For a stream, return the bytes of
        one message.

        Args:
            workers: The number of ranks.
        """
        return self.messages * int(_PAYLOAD_FACTORS[self.operation](workers) * self.size)

    def limit_seconds(self, workers: int) -> float:
        """Return a lower bound on the seconds of the operation with ``workers`` ranks; for a stream, per message.

        The bound is the sum of the transfer time on the busiest rank's link and the delays of the two links that a
        message passes. The transfer time is (payload + frame headers) ÷ link rate. The bound of a round trip is
        twice the sum. For a stream, the delays are divided by the number of messages.
        """
        framed = 8 * framed_bytes(self.payload_bytes(workers))
        rate, delays = self.asked.lower_bits_per_second, 2 * self.asked.delay_seconds
        if self.operation == "after_idle":
            return 8 * self.messages * framed_bytes(self.size) / rate + delays
        if self.operation == "gather":  # the root only receives, the others only send
            received = framed / self.asked.down_bits_per_second
            sent = 8 * framed_bytes(self.size) / self.asked.up_bits_per_second
            return max(received, sent) + delays
        if self.operation == "round_trip":
            return 2 * (framed / rate + delays)
        return framed / rate + delays / (self._num_streamed() if self.operation == "stream" else 1)

    def _num_streamed(self) -> int:
        """Return how many messages the operation ``stream`` sends back to back each time it is measured."""
        bytes_per_second = self.asked.lower_bits_per_second / 8
        least = _STREAMED_ROUND_TRIPS * 4 * self.asked.delay_seconds * bytes_per_second
        streamed = max(least, min(_STREAMED_BYTES, bytes_per_second * _STREAMED_SECONDS))
        return max(1, min(int(streamed // self.size), _MOST_STREAMED))

    def plan(self, workers: int) -> TransferCase:
        """Return the plan to measure the case with ``workers`` ranks: the case's fields, and the number of repeats.

        For the operation ``stream``, the plan's ``messages`` is the number of messages that a repeat streams.
        """
        messages, most_repeats, seconds_repeated = self.messages, _MAX_REPEATS, _REPEATED_SECONDS
        if self.operation == "after_idle":
            most_repeats, seconds_repeated = _AFTER_IDLE_REPEATS, _AFTER_IDLE_SECONDS
        if self.operation == "stream":
            messages = self._num_streamed()
        seconds = self.limit_seconds(workers) * (1 if self.messages > 1 else messages)
        repeats = max(1, min(most_repeats, int(seconds_repeated / seconds)))
        return TransferCase(
            operation=self.operation, size=self.size, link=self.link.spec(), messages=messages, repeats=repeats
        )

    def __str__(self) -> str:
        return f"{self.link}: {self.operation.replace('_', ' ')} of {self.size:,} bytes"


# For each operation, the payload that the busiest rank sends (or receives if this is more) ÷ the message size, as a
# function of the number of ranks.
_PAYLOAD_FACTORS: dict[str, Callable[[int], Fraction]] = {
    "stream": lambda _: Fraction(1),
    "round_trip": lambda _: Fraction(1),
    "after_idle": lambda _: Fraction(1),
    "all_reduce": lambda n: Fraction(2 * (n - 1), n),
    "broadcast": lambda _: Fraction(1),
    "gather": lambda n: Fraction(n - 1),
    "all_to_all": lambda n: Fraction(n - 1, n),
    "all_gather": lambda n: Fraction(n - 1),
}


def benchmark_link(
    sizes: Sequence[int], workers: int, links: Sequence[LinkMap], say: Callable[[str], None]
) -> BenchmarkResult:
    """Time torch's collectives, a stream of messages and the round trip of one byte over shaped links.

    Operations that would take too long over a link are skipped.

    Args:
        sizes: Message sizes in bytes.
        workers: Number of ranks.
        links: The links to measure, one after the other.
        say: Prints a line of progress.

    Returns:
        One row per link, operation and size. If the launch failed, only the rows before the failure, and the reason.

    Raises:
        MachineError: If memory does not suffice, or the kernel refuses shaped links.
    """
    needed_bytes = workers * (BYTES_PER_RANK + (workers + 2) * max(sizes))
    check_memory(f"--size {max(sizes)} --workers {workers}", needed_bytes, "give a smaller --size or fewer --workers")
    cases = [case for link in links for case in _cases(link, sizes, workers)]
    for link in links:
        if slow := [str(case.size) for case in _all_cases(link, sizes) if _too_slow(case, workers)]:
            skipped = ", ".join(dict.fromkeys(slow))
            say(f"{link}: some operations on {skipped} bytes are skipped: more than {_MAX_SECONDS:.0f} s on the wire")
    plan = BenchmarkPlan(transfers=tuple(case.plan(workers) for case in cases))
    reports, failure = run_ranks(plan, [str(case) for case in cases], workers, say)
    rows = [_row(case, workers, report) for case, report in zip(cases, reports, strict=False)]
    return BenchmarkResult(rows=tuple(rows), legend=_LEGEND, failures=(failure,) if failure else ())


def _cases(link: LinkMap, sizes: Sequence[int], workers: int) -> Iterator[_Case]:
    return (case for case in _all_cases(link, sizes) if not _too_slow(case, workers))


def _all_cases(link: LinkMap, sizes: Sequence[int]) -> Iterator[_Case]:
    yield _Case(operation="round_trip", size=1, link=link)
    yield from (_Case(operation="after_idle", size=size, link=link, messages=number) for number, size in _AFTER_IDLE)
    for operation in _PAYLOAD_FACTORS:
        if operation not in ("round_trip", "after_idle"):
            yield from (_Case(operation=operation, size=size, link=link) for size in sizes)


def _too_slow(case: _Case, workers: int) -> bool:
    return case.limit_seconds(workers) > _MAX_SECONDS


def _row(case: _Case, workers: int, report: Report) -> BenchmarkRow:
    if case.operation == "after_idle":
        return _after_idle_row(case, workers, report)
    seconds = statistics.median(report.figures["seconds"])
    framed = framed_bytes(case.payload_bytes(workers))
    one_way = case.operation != "round_trip"
    return BenchmarkRow(
        name=case.operation,
        operation="send" if case.operation in ("stream", "round_trip") else "collective",
        size=case.size,
        seconds=seconds,
        limit_seconds=case.limit_seconds(workers),
        workers=workers,
        link=str(case.link),
        payload_bytes=case.payload_bytes(workers),
        asked_bits_per_second=case.asked.lower_bits_per_second,
        achieved_bits_per_second=round(8 * framed / seconds) if one_way else report.achieved_bits_per_second,
    )


def _after_idle_row(case: _Case, workers: int, report: Report) -> BenchmarkRow:
    rate, delays = case.asked.lower_bits_per_second, 2 * case.asked.delay_seconds
    shaped, unshaped = (statistics.median(report.figures[name]) for name in ("seconds", "unshaped_seconds"))
    bits = 8 * report.figures["wire_bytes"]
    # The machine's own latency varies: over a fast link, a message can seem to take no time at all.
    seconds = max(shaped - unshaped, 1e-9)
    wire_seconds = max(seconds - delays, 1e-9)
    return BenchmarkRow(
        name="after_idle",
        operation="send",
        size=case.size,
        messages=case.messages,
        seconds=seconds,
        limit_seconds=bits / rate + delays,
        workers=workers,
        link=str(case.link),
        payload_bytes=case.payload_bytes(workers),
        asked_bits_per_second=rate,
        achieved_bits_per_second=round(bits / wire_seconds),
    )
