"""Run a function on every rank of a real process group on the loopback."""

import multiprocessing
import os
import pickle
import pkgutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from liecbench.compressors.kernels import cpu

_KERNELS: Final = sorted(module.name for module in pkgutil.iter_modules(cpu.__path__, f"{cpu.__name__}."))
# Ranks are forked from a process that has imported these modules, which takes seconds.
_PRELOADED: Final = (
    *("pytest", "liecbench.worker.trainer", "liecbench.worker.interleaved_session"),
    *("liecbench.tasks.digits", "liecbench.tasks.mlp", *_KERNELS),
)
multiprocessing.set_forkserver_preload(list(_PRELOADED))


def run_ranks(function: Callable[..., Any], world_size: int, *arguments: Any, backend: str = "gloo") -> list[Any]:
    """Run ``function(*arguments)`` on each rank and return the results by rank; raise what a rank raises."""
    with tempfile.TemporaryDirectory() as directory:
        mp.start_processes(  # type: ignore[attr-defined,no-untyped-call]
            _rank, (world_size, directory, backend, function, arguments), world_size, start_method="forkserver"
        )
        return [pickle.loads(Path(directory, str(rank)).read_bytes()) for rank in range(world_size)]


def _rank(
    rank: int,
    world_size: int,
    directory: str,
    backend: str,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    torch.set_num_threads(1)
    if torch.cuda.is_available():
        torch.cuda.set_device(rank % torch.cuda.device_count())
    dist.init_process_group(backend, init_method=f"file://{directory}/store", rank=rank, world_size=world_size)
    result = function(*arguments)
    Path(directory, str(rank)).write_bytes(pickle.dumps(result))
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)  # as liecbench's own ranks end
