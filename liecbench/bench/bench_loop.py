"""The loop of each rank of a benchmark: join the process group once, then measure each case on the case's link."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist

from liecbench.bench.exchange_steps import measure_exchange
from liecbench.bench.link_transfers import measure_transfers
from liecbench.launch.events import CaseMeasured, CaseStarted
from liecbench.launch.plans import BenchmarkPlan
from liecbench.network.emulation import WorkerLink
from liecbench.network.link_map import LinkMap
from liecbench.worker.cell_link import CellLink
from liecbench.worker.event_writer import EventWriter
from liecbench.worker.process_group import join
from liecbench.worker.process_pacing import Unshaped

# Measures a case and returns its figures, which are the same on every rank. All ranks must call it together.
_Measure = Callable[[CellLink], dict[str, Any]]
# Every round measures all steps of a link once, each with a model and buffers of its own.
STEP_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One measurement of one case of the benchmark.

    Attributes:
        case: The case's number in the plan, from 0. Cases that train steps come before cases that transfer messages.
        link: The case's link as a scenario file writes it, such as ``100mbit``.
        measure: Measures the case on a given link, and returns the measured figures by name.
    """

    case: int
    link: str | dict[str, Any]
    measure: _Measure


def run_plan(plan: BenchmarkPlan, events: Path, worker_link: WorkerLink | None) -> None:
    """Measure every case of ``plan`` on this rank. Rank 0 sends the figures to the ``liecbench`` command.

    The cases ``plan.steps`` are measured link by link. All cases of a link are measured once per round: in the plan's
    order in the first round, and in random order in later rounds. Then each of ``plan.transfers`` is measured once.

    Args:
        plan: The cases.
        events: The pipe to the command.
        worker_link: This rank's shaped link; None if links are not shaped.
    """
    torch.set_num_threads(1)
    join(plan)
    writer = EventWriter(events) if dist.get_rank() == 0 else None
    link = CellLink(worker_link if worker_link is not None else Unshaped())
    for rounds in _series(plan):
        found: dict[int, list[dict[str, Any]]] = {}
        for turn in (turn for turns in rounds for turn in turns):
            if writer is not None and turn.case not in found:
                writer.send(CaseStarted(case=turn.case))
            link.prepare(LinkMap.parse(turn.link))
            found.setdefault(turn.case, []).append(turn.measure(link))
        for case, figures in found.items() if writer is not None else ():
            assert writer is not None
            merged = figures[0] if len(figures) == 1 else {"rounds": figures}
            writer.send(CaseMeasured(case=case, figures=merged, link=link.describe()))
    dist.destroy_process_group()


def _series(plan: BenchmarkPlan) -> Iterator[list[list[_Turn]]]:
    """Yield the measurements in groups. A group is a list of rounds, and a round is a list of measurements (turns).

    The cases that train steps form one group per link. Each round of the group measures each of the group's cases once.
    A case that only transfers messages is a group of its own, of one round with one turn.
    """
    by_link: dict[str, list[_Turn]] = {}
    for number, step in enumerate(plan.steps):
        turn = _Turn(case=number, link=step.link, measure=partial(measure_exchange, step))
        by_link.setdefault(str(step.link), []).append(turn)
    for link, turns in by_link.items():
        order = random.Random(link)  # noqa: S311 - no secret
        # The first round is in the plan's order, in which the command shows the cases.
        yield [turns, *(order.sample(turns, len(turns)) for _ in range(STEP_ROUNDS - 1))]
    for number, transfer in enumerate(plan.transfers, start=len(plan.steps)):
        yield [[_Turn(case=number, link=transfer.link, measure=partial(measure_transfers, transfer))]]
