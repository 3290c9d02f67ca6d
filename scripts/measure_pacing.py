#!/usr/bin/env python
"""Measure small messages after idle where processes pace their own messages (``enforcement: process``).

    .venv/bin/python scripts/measure_pacing.py

Two ranks send over the loopback. Each line compares the seconds from the start of sending to the last arrival, without
those of a message that is not paced, with the bytes on the wire ÷ rate. It takes a minute, on an idle machine.
``liecbench bench link`` measures the same (``after_idle``) over links that the kernel or the delay line emulates.
"""

import os
import socket
import statistics
from typing import Final

import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from liecbench.algorithms.comm.pacing import ACKNOWLEDGEMENT_BYTES, framed_bytes
from liecbench.bench.after_idle import measure_after_idle
from liecbench.launch.plans import TransferCase
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.worker.cell_link import CellLink
from liecbench.worker.process_pacing import ProcessPacing

RATES: Final = {"5mbit": 5 * 10**6, "20mbit": 20 * 10**6, "100mbit": 10**8, "1gbit": 10**9}
# Messages at once, and the bytes of each.
MESSAGES: Final = ((3, 821), (6, 821), (3, 4096), (3, 16384), (3, 65536))
MOST_REPEATS, SECONDS = 200, 4.0


def main() -> None:
    """Start two ranks; the first prints the table."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    multiprocessing.spawn(_rank, args=(port,), nprocs=2)


def _rank(rank: int, port: int) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    dist.init_process_group("gloo", rank=rank, world_size=2)
    link = CellLink(ProcessPacing())
    for name, rate in RATES.items():
        links = LinkMap(default=Link(up_bits_per_second=rate, down_bits_per_second=rate))
        link.prepare(links)
        for messages, size in MESSAGES:
            limit = 8 * messages * framed_bytes(size, ACKNOWLEDGEMENT_BYTES) / rate
            repeats = max(1, min(MOST_REPEATS, int(SECONDS / limit)))
            case = TransferCase(
                operation="after_idle", size=size, link=links.spec(), messages=messages, repeats=repeats
            )
            found = measure_after_idle(case, link)
            if rank == 0:
                seconds = statistics.median(found["seconds"]) - statistics.median(found["unshaped_seconds"])
                print(
                    f"{name:>8} {messages} × {size:>6,} B: asked {1e6 * limit:9.0f} µs, measured {1e6 * seconds:9.0f} "
                    f"({100 * (seconds / limit - 1):+.1f} %), median of {repeats}",
                    flush=True,
                )
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
