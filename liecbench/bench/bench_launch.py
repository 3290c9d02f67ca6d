"""A benchmark between ranks: torchrun behind shaped links, as a cell runs, and what its ranks report."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liecbench.launch.torchrun import Torchrun, log_tail, start_torchrun


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the ranks found in one case, and what the slowest direction of any of their links carried meanwhile."""

    figures: dict[str, Any]
    achieved_bits_per_second: int


def run_ranks(
    plan: dict[str, Any], labels: Sequence[str], workers: int, say: Callable[[str], None]
) -> tuple[list[Report], str | None]:
    """A report for each case of the plan, in order, and why there are no more where ranks were lost.

    ``labels`` tell of the cases while they run. MachineError where the kernel refuses shaped links.
    """
    reports: list[Report] = []
    lost: list[str] = []

    def hear(event: dict[str, Any]) -> None:
        match event["type"]:
            case "measuring":
                say(f"{labels[event['case']]} ({event['case'] + 1}/{len(labels)})")
            case "measured":
                reports.append(_report(event))
            case "lost":
                lost.append(event["reason"].partition("\n")[0])

    torchrun = Torchrun(module="liecbench.bench.bench_entry", workers=workers, threads=1, shaped=True)
    with tempfile.TemporaryDirectory(prefix="liecbench-bench-") as directory:
        path, log = Path(directory) / "plan.json", Path(directory) / "log"
        path.write_text(json.dumps(plan))
        say(f"starting {workers} workers")
        outcome = start_torchrun(torchrun, path, log, hear)
        return reports, None if outcome.status == 0 else _failure(outcome.status, lost, log)


def _report(event: dict[str, Any]) -> Report:
    rates = [rank[f"{way}_bits_per_second"] for rank in event["link"]["measured"] for way in ("up", "down")]
    return Report(figures=event["figures"], achieved_bits_per_second=round(min(rates)))


def _failure(status: int, lost: list[str], log: Path) -> str:
    first = f"; first was {lost[0]}" if lost else ""
    remedy = "give a smaller --size or fewer --workers if memory ran out; the ranks' last lines say more"
    return f"the ranks ended with status {status}{first}; {remedy}\n{log_tail(log)}"
