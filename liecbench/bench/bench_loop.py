"""The loop of each rank of a benchmark: join the process group once, then measure each case on the case's link."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from liecbench.bench.exchange_steps import measure_exchange
from liecbench.bench.link_transfers import measure_transfers
from liecbench.launch.messages import BenchmarkPlan, CaseMeasured, CaseStarted
from liecbench.network.emulation import WorkerLink
from liecbench.network.link_map import LinkMap
from liecbench.worker.cell_link import CellLink
from liecbench.worker.event_writer import EventWriter
from liecbench.worker.process_group import join
from liecbench.worker.process_pacing import Unshaped

# Measures a case and returns its figures, which are the same on every rank. All ranks must call it together.
_Measure = Callable[[CellLink], dict[str, Any]]


def run_plan(plan: BenchmarkPlan, events: Path, worker_link: WorkerLink | None) -> None:
    """Measure every case of ``plan`` on this rank. Rank 0 sends the figures to the ``liecbench`` command.

    ``events`` is the pipe to the command. If ``worker_link`` is None, the links are not shaped.
    """
    torch.set_num_threads(1)
    join(plan)
    writer = EventWriter(events) if dist.get_rank() == 0 else None
    link = CellLink(worker_link if worker_link is not None else Unshaped())
    for number, (text, measure) in enumerate(_cases(plan)):
        if writer is not None:
            writer.send(CaseStarted(case=number))
        link.prepare(LinkMap.parse(text))
        figures = measure(link)
        if writer is not None:
            writer.send(CaseMeasured(case=number, figures=figures, link=link.describe()))
    dist.destroy_process_group()


def _cases(plan: BenchmarkPlan) -> Iterator[tuple[str | dict[str, Any], _Measure]]:
    """Yield the link of each case and the function that measures the case."""
    for step in plan.steps:
        yield step.link, partial(measure_exchange, step)
    for transfer in plan.transfers:
        yield transfer.link, partial(measure_transfers, transfer)
