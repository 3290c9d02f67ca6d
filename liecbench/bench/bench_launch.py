"""Start a benchmark's ranks with torchrun, behind shaped links, and collect the measurements."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from liecbench.host.scratch_directory import scratch_directory
from liecbench.launch.channel import write_plan
from liecbench.launch.events import CaseMeasured, CaseStarted, Event, Lost, Notice
from liecbench.launch.lost_ranks import first_lost
from liecbench.launch.plans import BenchmarkPlan
from liecbench.launch.torchrun import Torchrun, log_tail, start_torchrun

# Resident memory of a Python interpreter that has imported torch.
BYTES_PER_RANK: Final = 250 * 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The results of one case of a benchmark.

    Attributes:
        figures: The case's measurements, by name, such as ``seconds``.
        achieved_bits_per_second: The lowest of the rates that were measured on all ranks' links in both directions.
    """

    figures: dict[str, Any]
    achieved_bits_per_second: int


def run_ranks(
    plan: BenchmarkPlan, labels: Sequence[str], workers: int, say: Callable[[str], None]
) -> tuple[list[Report], str | None]:
    """Start ``workers`` ranks, let them measure the cases of ``plan``, and return a report per case.

    Args:
        plan: The benchmark's cases.
        labels: One name per case, shown when the case begins.
        workers: Number of ranks.
        say: Prints a line of progress.

    Returns:
        One report per case, in order, and None. If the launch failed: the reports of the cases that were measured
        before the failure, and the reason of the failure.

    Raises:
        MachineError: If the kernel refuses shaped links.
    """
    reports: list[Report] = []
    lost: list[Lost] = []

    def handle(event: Event) -> None:
        match event:
            case CaseStarted():
                say(f"{labels[event.case]} ({event.case + 1}/{len(labels)})")
            case CaseMeasured():
                reports.append(_report(event))
            case Notice():
                say(event.text)
            case Lost():
                lost.append(event)

    torchrun = Torchrun(
        module="liecbench.bench.bench_entry",
        imports=("liecbench.bench.bench_loop",),
        workers=workers,
        threads=1,
        shaped=True,
    )
    with scratch_directory("bench") as directory:
        path, log = directory / "plan.json", directory / "log"
        write_plan(path, plan)
        say(f"starting {workers} workers")
        outcome = start_torchrun(torchrun, path, log, handle)
        return reports, None if outcome.status == 0 else _failure(outcome.status, lost, log)


def _report(event: CaseMeasured) -> Report:
    rates = [rank[f"{way}_bits_per_second"] for rank in event.link["measured"] for way in ("up", "down")]
    return Report(figures=event.figures, achieved_bits_per_second=round(min(rates)))


def _failure(status: int, lost: list[Lost], log: Path) -> str:
    first = f"; first was {first_lost(lost)}" if lost else ""
    remedy = "give a smaller --size or fewer --workers if memory ran out; the ranks' last lines say more"
    return f"the ranks ended with status {status}{first}; {remedy}\n{log_tail(log)}"
