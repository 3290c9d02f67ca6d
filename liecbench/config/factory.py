"""Create the algorithm and the compressor that a cell (one training run) names."""

from typing import TYPE_CHECKING, Any

from liecbench.config import registry
from liecbench.config.cell import Cell
from liecbench.config.choice import Choice

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm


def make_algorithm(cell: Cell) -> "Algorithm":
    """Return a new instance of the cell's algorithm, with its compressor, server and block size. Imports torch."""
    parts: dict[str, object] = {"block_bytes": cell.block_bytes}
    if cell.compressor is not None:
        parts["compressor"] = make_compressor(cell.compressor, cell.seed)
    if cell.server is not None:
        parts["server"] = cell.server
    algorithm: Algorithm = registry.load("algorithm", cell.algorithm.name)(**cell.algorithm.options, **parts)
    return algorithm


def cpu_kernels(cell: Cell) -> tuple[str, ...]:
    """Return the names of modules with the CPU kernels that a cell's training uses; none on a GPU. Imports torch."""
    if cell.device != "cpu":
        return ()
    names: tuple[str, ...] = registry.load("algorithm", cell.algorithm.name).cpu_kernels
    if cell.compressor is not None:
        names += registry.load("compressor", cell.compressor.name).cpu_kernels
    return names


def make_compressor(choice: Choice, seed: int) -> Any:
    """Return a new compressor. If it has an option ``seed``, its seed is derived from this option and the cell's seed.

    Args:
        choice: The compressor's name and all its options.
        seed: The cell's seed.
    """
    options = dict(choice.options)
    if "seed" in options:
        import numpy as np

        options["seed"] = int(np.random.SeedSequence([seed, options["seed"]]).generate_state(1)[0])
    return registry.load("compressor", choice.name)(**options)
