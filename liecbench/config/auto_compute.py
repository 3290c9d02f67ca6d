"""The meaning of ``compute: auto`` for a cell (one training run): computing, or replaying a profile.

Ranks that share cores compute too slowly, and the emulation of links takes a core, too. Then ranks replay a profile:
they sleep as long as one rank computes that has the machine for itself.
"""

import functools

from liecbench.config.cell import Cell
from liecbench.config.compute_choice import Compute
from liecbench.host import cgroups, gpu


def auto_compute(cell: Cell) -> Compute:
    """Return ``measured`` if every rank has the cores or the GPU that it needs on this machine, else ``replayed``.

    Always ``measured`` are cells that are timed while they train, cells on the machine's own network, and cells over
    NCCL, which only moves memory of GPUs.
    """
    if cell.timing != "interleaved" or cell.link.host or cell.backend == "nccl":
        return "measured"
    if cell.device == "cuda":
        return "measured" if cell.workers <= num_gpus() else "replayed"
    num_cores = cell.workers * cell.threads + cell.link.shaped
    return "measured" if num_cores <= cgroups.num_cpus() else "replayed"


@functools.cache
def num_gpus() -> int:
    """Return the number of this machine's GPUs."""
    return len(gpu.installed().gpus)
