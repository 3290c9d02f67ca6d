"""Links: what they carry against what was asked, and what torch's operations make of that."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from liecbench.algorithms.comm.pacing import framed_bytes
from liecbench.bench.bench_launch import Report, run_ranks
from liecbench.bench.benchmark_row import Findings, Row
from liecbench.errors import LiecbenchError
from liecbench.host.machine import check_memory
from liecbench.launch.messages import BenchmarkPlan, TransferCase
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap

_BYTES_PER_RANK = 250 * 10**6  # an interpreter with torch
_LONGEST_SECONDS = 14.0
_REPEATED_SECONDS = 2.0
_MOST_REPEATS = 9
# Back to back, so that what the full bucket lets through at once is a small part of them.
_STREAMED_BYTES = 2**22
_STREAMED_SECONDS = 1.0
_LEGEND = (
    "stream: a message of those sent back to back between pairs of ranks; round_trip: a byte there and back\n"
    "others: torch's collectives of what each rank hands in\n"
    "limit: payload of the busiest rank's busier direction, with the headers of its frames, ÷ rate; "
    "of a round trip its four links' delays and frames\n"
    "of rate: that payload with headers ÷ time; of a round trip what the link was measured to carry as it was set"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    operation: str
    size: int
    link: LinkMap

    @property
    def _asked(self) -> Link:
        assert self.link.default is not None, "a benchmark's links are shaped"
        return self.link.default

    @property
    def _slower(self) -> int:
        return min(self._asked.up_bits_per_second, self._asked.down_bits_per_second)

    def payload_bytes(self, workers: int) -> int:
        """What the busiest direction of the busiest rank carries: less cannot do it."""
        return int(_SHARES[self.operation](workers) * self.size)

    def limit_seconds(self, workers: int) -> float:
        """The wire time of that."""
        framed = 8 * framed_bytes(self.payload_bytes(workers))
        if self.operation == "gather":  # the root only receives, the others only send
            received = framed / self._asked.down_bits_per_second
            sent = 8 * framed_bytes(self.size) / self._asked.up_bits_per_second
            return max(received, sent) + 2 * self._asked.delay_seconds
        if self.operation == "round_trip":
            each = framed / self._asked.up_bits_per_second + framed / self._asked.down_bits_per_second
            return 2 * (each + 2 * self._asked.delay_seconds)
        return framed / self._slower + 2 * self._asked.delay_seconds

    def plan(self, workers: int) -> TransferCase:
        """Return the case as its ranks read it."""
        messages = 1
        if self.operation == "stream":
            most = min(_STREAMED_BYTES, self._slower / 8 * _STREAMED_SECONDS)
            messages = max(1, int(most // self.size))
        seconds = messages * self.limit_seconds(workers)
        repeats = max(1, min(_MOST_REPEATS, int(_REPEATED_SECONDS / seconds)))
        return TransferCase(
            operation=self.operation, size=self.size, link=self.link.spec(), messages=messages, repeats=repeats
        )

    def __str__(self) -> str:
        return f"{self.link}: {self.operation.replace('_', ' ')} of {self.size:,} bytes"


# The share of a rank's input that the busiest direction carries, by the number of ranks.
_SHARES: dict[str, Callable[[int], Fraction]] = {
    "stream": lambda _: Fraction(1),
    "round_trip": lambda _: Fraction(1),
    "all_reduce": lambda n: Fraction(2 * (n - 1), n),
    "broadcast": lambda _: Fraction(1),
    "gather": lambda n: Fraction(n - 1),
    "all_to_all": lambda n: Fraction(n - 1, n),
    "all_gather": lambda n: Fraction(n - 1),
}


def parse_links(texts: Sequence[str]) -> list[LinkMap]:
    """Each ``--link`` once; LiecbenchError for one that is none, or that nothing shapes."""
    links = []
    for text in texts:
        try:
            links.append(LinkMap.parse(text))
        except ValueError as error:
            raise LiecbenchError(f"--link {text}: {error}") from None
    if unshaped := [text for text, link in zip(texts, links, strict=True) if not link.shaped]:
        raise LiecbenchError(f"--link {unshaped[0]}: nothing is asked of it", "give a rate or a preset")
    return list(dict.fromkeys(links))


def measure(sizes: Sequence[int], workers: int, links: Sequence[LinkMap], say: Callable[[str], None]) -> Findings:
    """Torch's operations on ``sizes`` bytes over each of ``links``, with a byte's round trip."""
    needed_bytes = workers * (_BYTES_PER_RANK + (workers + 2) * max(sizes))
    check_memory(f"--size {max(sizes)} --workers {workers}", needed_bytes, "give a smaller --size or fewer --workers")
    cases = [case for link in links for case in _cases(link, sizes, workers)]
    for link in links:
        if slow := [str(case.size) for case in _all_cases(link, sizes) if _too_slow(case, workers)]:
            left = ", ".join(dict.fromkeys(slow))
            say(f"{link}: some operations on {left} bytes are left out: more than {_LONGEST_SECONDS:.0f} s on the wire")
    plan = BenchmarkPlan(transfers=tuple(case.plan(workers) for case in cases))
    reports, failure = run_ranks(plan, [str(case) for case in cases], workers, say)
    rows = [_row(case, workers, report) for case, report in zip(cases, reports, strict=False)]
    return Findings(rows=tuple(rows), legend=_LEGEND, failures=(failure,) if failure else ())


def _cases(link: LinkMap, sizes: Sequence[int], workers: int) -> Iterator[_Case]:
    return (case for case in _all_cases(link, sizes) if not _too_slow(case, workers))


def _all_cases(link: LinkMap, sizes: Sequence[int]) -> Iterator[_Case]:
    yield _Case(operation="round_trip", size=1, link=link)
    for operation in _SHARES:
        if operation != "round_trip":
            yield from (_Case(operation=operation, size=size, link=link) for size in sizes)


def _too_slow(case: _Case, workers: int) -> bool:
    return case.limit_seconds(workers) > _LONGEST_SECONDS


def _row(case: _Case, workers: int, report: Report) -> Row:
    seconds = statistics.median(report.figures["seconds"])
    framed = framed_bytes(case.payload_bytes(workers))
    asked = case.link.default
    assert asked is not None, "a benchmark's links are shaped"
    one_way = case.operation != "round_trip"
    return Row(
        name=case.operation,
        operation="send" if case.operation in ("stream", "round_trip") else "collective",
        size=case.size,
        seconds=seconds,
        limit_seconds=case.limit_seconds(workers),
        workers=workers,
        link=str(case.link),
        payload_bytes=case.payload_bytes(workers),
        asked_bits_per_second=min(asked.up_bits_per_second, asked.down_bits_per_second),
        achieved_bits_per_second=round(8 * framed / seconds) if one_way else report.achieved_bits_per_second,
    )
