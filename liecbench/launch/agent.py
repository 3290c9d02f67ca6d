"""Run torchrun's agent, which starts and watches a machine's ranks, in a fork of a process that has imported torch.

The ranks are forks of the agent. So neither the agent nor a rank spends seconds on importing torch.
"""

import contextlib
import dataclasses
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path

from liecbench.host import linux
from liecbench.launch.channel import encode
from liecbench.launch.events import Event
from liecbench.launch.lost_ranks import ended_process
from liecbench.launch.orders import Agent
from liecbench.launch.supervisor import EVENTS_VARIABLE

# With this variable torch counts GPUs without initialising CUDA, which forks of this process could not use afterwards.
_COUNT_WITH_NVML = "PYTORCH_NVML_BASED_CUDA_CHECK"


def run_agent(agent: Agent) -> None:
    """Run this machine's ranks until they end, as the command ``torchrun`` does; exit with 1 if a rank fails.

    ``agent`` has the settings: the module that each rank runs, the number of ranks, and where they rendezvous.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, LogsDest
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    class NoFiles(DefaultLogsSpecs):
        """Log settings that write no files; by default, torch leaves a directory with the ranks' output behind."""

        def reify(self, envs: dict[int, dict[str, str]]) -> LogsDest:
            return dataclasses.replace(super().reify(envs), tee_stdouts={}, tee_stderrs={})

    linux.set_process_name("liec-torchrun")
    before = os.environ.get(_COUNT_WITH_NVML)
    os.environ[_COUNT_WITH_NVML] = "1"
    config = LaunchConfig(
        min_nodes=agent.num_nodes,
        max_nodes=agent.num_nodes,
        nproc_per_node=agent.local_workers,
        run_id="none",
        role="default",
        rdzv_backend="static",
        rdzv_endpoint=f"{agent.address}:{agent.port}",
        rdzv_configs={"rank": agent.node_rank},
        max_restarts=0,
        start_method="fork",
        logs_specs=NoFiles(log_dir=os.devnull),
    )
    if before is None:
        del os.environ[_COUNT_WITH_NVML]
    else:
        os.environ[_COUNT_WITH_NVML] = before
    try:
        elastic_launch(config, _run_rank)(agent.module, agent.plan)
    except ChildFailedError as error:
        for rank, failure in error.failures.items():
            if failure.exitcode != 1:  # with 1, the rank has sent its exception itself
                _send(ended_process(rank, failure.exitcode))
        sys.exit(f"{error}")


def _send(event: Event) -> None:
    with contextlib.suppress(OSError), Path(os.environ[EVENTS_VARIABLE]).open("a", encoding="utf-8") as pipe:
        pipe.write(encode(event) + "\n")


def _run_rank(module: str, plan: str) -> None:
    """Run a rank in this process, as the command ``python -m MODULE PLAN`` would in a new process.

    ``plan`` is the path of the plan's file.
    """
    linux.set_process_name(f"liec-rank-{os.environ['LOCAL_RANK']}")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        # The agent's handlers raise an exception, but only when a running call of torch has returned.
        signal.signal(number, signal.SIG_DFL)
    sys.argv = [module, plan]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except Exception:  # torch would write it to a temporary file, and leave the file behind
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
