"""The choice of the transport that fits a device and a process group: Gloo, Gloo with copies on the host, or NCCL."""

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.gloo import GlooTransport
from liecbench.algorithms.comm.gloo_staged import StagedGlooTransport
from liecbench.algorithms.comm.nccl import NcclTransport
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.algorithms.comm.path import Path
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.algorithms.comm.transport import Transport, uses_nccl


def fitting_transport(
    device: torch.device,
    group: dist.ProcessGroup,
    server: ServerPlace,
    watch: Stopwatch,
    pacer: Pacer | None,
    path: Path | None,
) -> Transport:
    """Return the transport that sends vectors on ``device`` between the ranks of ``group``.

    On the CPU, the transport uses Gloo. On a GPU, the transport uses NCCL if ``group`` does, and otherwise copies
    vectors to the host and sends the copies over Gloo.

    Args:
        device: The device of the vectors.
        group: The process group.
        server: The place of the server.
        watch: Counts and times the messages.
        pacer: Emulates slow links; None leaves the links at their own speed. NCCL does not use it.
        path: The slowest path between two ranks; None if it is unknown. NCCL does not use it.
    """
    if device.type == "cpu":
        return GlooTransport(group, server, watch, pacer, path)
    if uses_nccl(device, group):
        return NcclTransport(group, server, watch, device)
    return StagedGlooTransport(group, server, watch, pacer, path, device)
