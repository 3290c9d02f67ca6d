"""A rank's process: how it ends."""

import os
import subprocess
import sys
from pathlib import Path

from liecbench.launch.channel import write_plan
from liecbench.launch.plans import BenchmarkPlan
from liecbench.launch.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE

# Gloo's thread comes back from a callback that a DDP hook chained to its all-reduce when the rank has already ended.
RANK = """
import time

from liecbench.launch.plans import BenchmarkPlan
from liecbench.worker import entry


def body(plan, events, link):
    import os
    import sys

    import torch
    import torch.distributed as dist

    me = int(os.environ["LOCAL_RANK"])
    dist.init_process_group("gloo", init_method=f"file://{sys.argv[1]}.store", rank=me, world_size=2)
    dist.barrier()
    time.sleep(0.5 * me)
    work = dist.all_reduce(torch.ones(4), async_op=True)
    work.get_future().then(lambda future: time.sleep(1))
    time.sleep(0.7)
    print("ended")


entry.run(BenchmarkPlan, lambda: body)
"""


def test_a_rank_ends_without_error_while_a_backends_thread_runs_python(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    write_plan(plan, BenchmarkPlan())
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(plan)],
            env={
                **os.environ,
                "LOCAL_RANK": str(rank),
                "RANK": str(rank),
                NAMESPACES_VARIABLE: "",
                EVENTS_VARIABLE: str(tmp_path / "events"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    ends = [(rank.communicate(timeout=60), rank.returncode) for rank in ranks]

    assert [(out, status) for (out, _), status in ends] == [("ended\n", 0)] * 2, ends
