"""One benchmark seen from a rank: join the group once, then one case after the other, each on its link."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from liecbench.bench import free_backward, transfers
from liecbench.network.emulation import WorkerLink
from liecbench.network.link_map import LinkMap
from liecbench.worker.cell_link import CellLink
from liecbench.worker.link_shapers import Unshaped

# What measures a case, collectively, and returns figures that are the same on every rank.
_Measure = Callable[[dict[str, Any], CellLink], dict[str, Any]]
_BENCHMARKS: dict[str, _Measure] = {"exchange": free_backward.measure, "link": transfers.measure}


def run_plan(plan_path: Path, events: Path, worker_link: WorkerLink | None) -> None:
    """Measure every case of the plan; rank 0 reports."""
    plan = json.loads(plan_path.read_text())
    measure = _BENCHMARKS[plan["benchmark"]]
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    link = CellLink(worker_link if worker_link is not None else Unshaped())
    for number, case in enumerate(plan["cases"]):
        _tell(events, {"type": "measuring", "case": number})
        link.prepare(LinkMap.parse(case["link"]))
        figures = measure(case, link)
        _tell(events, {"type": "measured", "case": number, "figures": figures, "link": link.describe()})
    dist.destroy_process_group()


def _tell(events: Path, event: dict[str, Any]) -> None:
    if dist.get_rank() == 0:
        with events.open("w") as command:
            command.write(json.dumps(event) + "\n")
