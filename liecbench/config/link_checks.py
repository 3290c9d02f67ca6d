"""Checks of a scenario's links: the workers that they name, and whether processes can pace them."""

from collections.abc import Iterator

from liecbench.config import registry
from liecbench.config.cell import Cell
from liecbench.config.matrix_point import MatrixPoint
from liecbench.config.mistakes import Mistake
from liecbench.config.scenario import Scenario


def check_links(scenario: Scenario) -> Iterator[Mistake]:
    """Yield a mistake for each link that names a worker that does not exist, or that processes cannot pace.

    With ``enforcement: process``, ranks pace their own messages. A link can then have rates, but no delay, jitter or
    loss, and the method must support pacing. With ``enforcement: kernel``, a run tests later whether the kernel can
    shape the links.
    """
    for point, cell in scenario.kept:
        for rank, _ in cell.link.workers:
            if rank >= cell.workers:
                message = f"workers: there is no worker {rank} among {cell.workers}; they count from 0"
                yield Mistake(point.path("link"), message)
        if cell.enforcement == "process" and cell.link.shaped:
            yield from _check_pacing(point, cell)


def _check_pacing(point: MatrixPoint, cell: Cell) -> Iterator[Mistake]:
    if cell.link.needs_latency:
        message = "processes pace rates only, not delay, jitter and loss; remove these, or use enforcement: kernel"
        yield Mistake(point.path("link"), message)
        return
    if not registry.load("algorithm", cell.algorithm.name).supports_pacing:
        message = (
            f"process cannot pace {cell.algorithm.name}: its collectives are torch's own, which liecbench "
            "cannot pace; remove it, or use enforcement: kernel"
        )
        yield Mistake(("enforcement",), message)
