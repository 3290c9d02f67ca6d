"""Measure what a rank takes per message beyond its transfer, between two ranks on this machine's loopback."""

import multiprocessing
import os
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.distributed as dist

from liecbench.algorithms.comm.gloo import GlooTransport
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.algorithms.comm.transport import Traffic
from liecbench.compressors.identity import Identity

_NUM_WARM_UP, _NUM_TIMED = 50, 500
# Other work on the machine can only add to the seconds, so that a low quantile is closer to those of idle processors.
_QUANTILE: Final = 0.1
_TINY_NUMEL: Final = 16
_TIMEOUT_SECONDS: Final = 60.0


def measure_message_seconds() -> float | None:
    """Return the seconds of a rank to send a small message and to receive one; None if two ranks cannot be started.

    Two ranks are forked from this process, which must not have used several threads.
    """
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="liecbench-profile-") as directory, reader:
        ranks = [context.Process(target=_rank, args=(rank, directory, writer), daemon=True) for rank in range(2)]
        for rank in ranks:
            rank.start()
        writer.close()
        try:
            found: float | None = reader.recv() if reader.poll(_TIMEOUT_SECONDS) else None
        except EOFError:
            found = None
        for rank in ranks:
            rank.join(_TIMEOUT_SECONDS if found is not None else 0)
            rank.kill()
            rank.join()
    return found


def _rank(rank: int, directory: str, writer: Connection) -> None:
    # What a rank prints when it fails is not worth more than that there is no measurement.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    store = Path(directory, "store").as_uri()
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    group = dist.group.WORLD
    assert group is not None, "the ranks have joined"
    seconds = _exchange_seconds(group)
    dist.barrier()
    if rank == 0:
        writer.send(seconds)
    writer.close()
    dist.barrier()
    os._exit(0)  # without the cleanup of the process that it was forked from


def _exchange_seconds(group: dist.ProcessGroup) -> float:
    transport, compressor = GlooTransport(group, "sharded", Stopwatch()), Identity()
    peer, message = 1 - group.rank(), compressor.compress(torch.zeros(_TINY_NUMEL))
    seconds = []
    for number in range(_NUM_WARM_UP + _NUM_TIMED):
        traffic = Traffic({peer: lambda: message}, {peer: lambda: transport.recv_buffer(compressor, _TINY_NUMEL)})
        traffic.is_dense = False  # a dense exchange would begin with a barrier of all ranks
        began = time.perf_counter()
        for _ in transport.exchange(traffic, limit_bytes=1):
            pass
        if number >= _NUM_WARM_UP:
            seconds.append(time.perf_counter() - began)
    return float(np.quantile(seconds, _QUANTILE))
