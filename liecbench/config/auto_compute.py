"""The meaning of ``compute: auto`` for a cell (one training run): computing, or replaying a profile.

If ranks share cores with each other or with the emulation of links, they compute more slowly than on machines of their
own. Then they replay a profile instead: they sleep for the seconds that a rank alone on the machine computes.
"""

import functools

from liecbench.config.cell import Cell
from liecbench.config.compute_choice import Compute, ComputeChoice, Dilation
from liecbench.host import cgroups, gpu
from liecbench.profiles.profile_store import ProfileFile


def auto_compute(cell: Cell) -> Compute:
    """Return ``measured`` if every rank has the cores or the GPU that it needs on this machine, else ``replayed``.

    Cells that are timed while they train, cells on the machine's own network and cells over NCCL, which only moves GPU
    memory, are always ``measured``.
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
    """Decide whether a cell's ranks compute or replay a profile, and return the cell with this decision.

    A cell that trains nothing always replays a profile. For all other cells, ``choice`` decides. The result is ``cell``
    if the ranks compute, and a changed copy if they replay a profile.

    Args:
        cell: The cell, with ``compute: measured``.
        choice: The scenario's ``compute``: ``measured``, ``replayed``, ``auto`` or a profile.
        dilation: The scenario's ``dilation``, for a replay.
        begun: The ``compute`` of cells that an earlier run timed and that are compared with ``cell``. ``auto`` keeps
            this ``compute``. None if there are no such cells; the choice of ``auto`` then depends on this machine.
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
