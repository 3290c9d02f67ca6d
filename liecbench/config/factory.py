"""Create the algorithm and the compressor that a cell (one training run) names."""

from typing import TYPE_CHECKING, Any

from liecbench.config import registry, workload_sizes
from liecbench.config.cell import Cell
from liecbench.config.choice import Choice
from liecbench.config.training_schedule import steps_per_epoch

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm


def make_algorithm(cell: Cell, num_samples: int | None = None) -> "Algorithm":
    """Return a new instance of the cell's algorithm, with its compressor, server and block size. Imports torch.

    Args:
        cell: The cell.
        num_samples: The number of training samples, which decides the length of the run; None to find it out from the
            cell's task.

    Raises:
        RunLengthError: If an option does not fit the length of the run.
    """
    parts: dict[str, object] = {"block_bytes": cell.block_bytes}
    if cell.compressor is not None:
        parts["compressor"] = make_compressor(cell.compressor, cell.seed)
    if cell.block_order != "backward":
        parts["block_order"] = cell.block_order
    if cell.server is not None:
        parts["server"] = cell.server
    cls = registry.load("algorithm", cell.algorithm.name)
    algorithm: Algorithm = cls(**cell.algorithm.options, **parts)
    if cell.is_trained and _depends_on_run_length(cls):
        samples = workload_sizes.sizes(cell.task).num_train_samples if num_samples is None else num_samples
        steps = steps_per_epoch(cell, algorithm, samples)
        if steps:
            algorithm.set_run_length(steps_per_epoch=steps, num_epochs=cell.task.epochs)
    return algorithm


def _depends_on_run_length(cls: type["Algorithm"]) -> bool:
    from liecbench.algorithms.base import Algorithm

    return cls.set_run_length is not Algorithm.set_run_length


def cpu_kernels(cell: Cell) -> tuple[str, ...]:
    """Return the names of the modules with the CPU kernels that a cell's training uses. Imports torch.

    An example of a name is ``liecbench.compressors.kernels.cpu.int8``. The tuple is empty if the cell trains on a GPU.
    """
    if cell.device != "cpu":
        return ()
    names: tuple[str, ...] = registry.load("algorithm", cell.algorithm.name).cpu_kernels
    if cell.compressor is not None:
        names += registry.load("compressor", cell.compressor.name).cpu_kernels
    return names


def make_compressor(choice: Choice, seed: int) -> Any:
    """Return a new compressor.

    If ``choice`` has an option ``seed``, the compressor's seed is derived from the option's value and the cell's seed.

    Args:
        choice: The compressor's name and all its options.
        seed: The cell's seed.
    """
    options = dict(choice.options)
    if "seed" in options:
        import numpy as np

        options["seed"] = int(np.random.SeedSequence([seed, options["seed"]]).generate_state(1)[0])
    return registry.load("compressor", choice.name)(**options)
