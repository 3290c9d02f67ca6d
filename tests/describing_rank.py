"""A rank that sends what it finds of its own process; it reads no plan."""

import os
import sys
from pathlib import Path

from liecbench.launch.channel import encode
from liecbench.launch.events import CaseMeasured
from liecbench.launch.supervisor import EVENTS_VARIABLE

if __name__ == "__main__":
    had_torch, had_numba = "torch" in sys.modules, "numba" in sys.modules
    import torch

    figures = {
        "had_torch": had_torch,
        "had_numba": had_numba,
        "torch_threads": torch.get_num_threads(),
        "affinity": sorted(os.sched_getaffinity(0)),
        "environment": dict(os.environ),
        "working_directory": str(Path.cwd()),
        "command_line": Path("/proc/self/cmdline").read_text().replace("\0", " "),
    }
    with Path(os.environ[EVENTS_VARIABLE]).open("a") as events:
        events.write(encode(CaseMeasured(case=0, figures=figures, link={})) + "\n")
