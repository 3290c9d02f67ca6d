"""Measure the seconds that a tiny message takes between two ranks, over this machine's loopback interface."""

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import torch
import torch.distributed as dist

from liecbench.host.punctuality import punctual
from liecbench.host.scratch_directory import scratch_directory
from liecbench.worker.replay.message_cost import MessageCost, measure_message_cost

_TIMEOUT_SECONDS: Final = 60.0


def message_cost() -> MessageCost | None:
    """Measure and return the costs of a tiny message between two ranks of this machine; None if measuring fails.

    The costs are in seconds (see ``MessageCost``). The two ranks are forked from this process, which must not have used
    several threads.
    """
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    with scratch_directory("profile") as directory, reader:
        ranks = [context.Process(target=_rank, args=(rank, directory, writer), daemon=True) for rank in range(2)]
        for rank in ranks:
            rank.start()
        writer.close()
        try:
            found: MessageCost | None = reader.recv() if reader.poll(_TIMEOUT_SECONDS) else None
        except EOFError:
            found = None
        for rank in ranks:
            rank.join(_TIMEOUT_SECONDS if found is not None else 0)
            rank.kill()
            rank.join()
    return found


def _rank(rank: int, directory: Path, writer: Connection) -> None:
    # What a rank prints when it fails is not worth more than that there is no measurement.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    store = (directory / "store").as_uri()
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    group = dist.group.WORLD
    assert group is not None, "the ranks have joined"
    with punctual():
        cost = measure_message_cost(group)
    if rank == 0:
        writer.send(cost)
    writer.close()
    dist.barrier()
    os._exit(0)  # without the cleanup of the process that it was forked from
