"""The meaning of ``compute: auto`` for a cell (one training run): computing, or replaying a profile.

Ranks that share cores compute too slowly, and the emulation of links takes a core, too. Then ranks replay a profile:
they sleep as long as one rank computes that has the machine for itself.
"""

import functools

from liecbench.config.cell import Cell
from liecbench.config.compute_choice import Compute, ComputeChoice, Dilation
from liecbench.host import cgroups, gpu
from liecbench.profiles.profile_store import ProfileFile


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


def with_compute(cell: Cell, choice: ComputeChoice, dilation: Dilation, begun: Compute | None) -> Cell:
    """Return a cell whose ranks compute, or replay a profile, as a scenario says.

    Args:
        cell: The cell, as if its ranks computed.
        choice: The scenario's ``compute``.
        dilation: The scenario's ``dilation``, for replayed compute.
        begun: The meaning of ``auto`` for cells with which this one is compared, if they have been timed; else None.
    """
    profile = choice.sha256 if isinstance(choice, ProfileFile) else cell.task.profile
    if not cell.is_trained:
        compute: Compute = "replayed"
    elif choice == "auto":
        compute = begun or auto_compute(cell)
    else:
        compute = "measured" if choice == "measured" else "replayed"
    if compute == "measured":
        return cell
    return cell.model_copy(update={"compute": compute, "profile": profile, "dilation": dilation})
