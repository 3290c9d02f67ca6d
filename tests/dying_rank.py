"""Two ranks that join by Gloo: rank 1 ends as the file ``ending`` beside the plan says, rank 0 waits for a message."""

import os
import signal
import sys
import time
from pathlib import Path

from liecbench.launch.plans import BenchmarkPlan
from liecbench.worker import entry


def _body(*_: object) -> None:
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    dist.barrier()
    if os.environ["RANK"] == "1":
        _end(Path(sys.argv[1]).with_name("ending").read_text())
    dist.recv(torch.empty(1), src=1)


def _end(how: str) -> None:
    import torch.distributed as dist

    if how == "ValueError":
        dist.destroy_process_group()
        time.sleep(0.5)  # rank 0 has lost the connection by now
        raise ValueError("no data")
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.Signals[how])


if __name__ == "__main__":
    entry.run(BenchmarkPlan, lambda: _body)
