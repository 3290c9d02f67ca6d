"""One benchmark seen from a rank: join the group once, then one case after the other, each on its link."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from liecbench.bench import steps
from liecbench.link import Link
from liecbench.network import WorkerLink
from liecbench.worker.session import ShapedLink

# What measures a case, collectively, and returns figures that are the same on every rank.
_Measure = Callable[[dict[str, Any], int, ShapedLink], dict[str, Any]]
_BENCHMARKS: dict[str, _Measure] = {"exchange": steps.measure}


def run_plan(plan_path: Path, events: Path, worker_link: WorkerLink | None) -> None:
    """Measure every case of the plan; rank 0 reports."""
    plan = json.loads(plan_path.read_text())
    measure = _BENCHMARKS[plan["benchmark"]]
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    link = ShapedLink(worker_link)
    for number, case in enumerate(plan["cases"]):
        _tell(events, {"type": "measuring", "case": number})
        link.prepare(Link.parse(case["link"]))
        figures = measure(case, plan["size"], link)
        _tell(events, {"type": "measured", "case": number, "figures": figures, "link": link.describe()})
    dist.destroy_process_group()


def _tell(events: Path, event: dict[str, Any]) -> None:
    if dist.get_rank() == 0:
        with events.open("w") as command:
            command.write(json.dumps(event) + "\n")
