"""Checks of a scenario's links: the workers that they name, and whether processes can pace them."""

from liecbench.config import registry
from liecbench.config.cell import Cell
from liecbench.config.matrix_point import MatrixPoint
from liecbench.config.scenario import Scenario
from liecbench.config.yaml_source import Document


def check_links(document: Document, scenario: Scenario) -> None:
    """Raise ScenarioError if a link names a worker that does not exist, or if ``enforcement: process`` cannot work.

    With ``enforcement: process``, ranks pace their own messages. A link can then have rates, but no delay, jitter or
    loss, and the method must support pacing. With ``enforcement: kernel``, a run tests later whether the kernel can
    shape the links.
    """
    for point, cell in scenario.kept:
        for rank, _ in cell.link.workers:
            if rank >= cell.workers:
                message = f"workers: there is no worker {rank} among {cell.workers}; they count from 0"
                raise document.error(point.path("link"), message)
        if cell.enforcement == "process" and cell.link.shaped:
            _check_pacing(document, point, cell)


def _check_pacing(document: Document, point: MatrixPoint, cell: Cell) -> None:
    if cell.link.needs_latency:
        message = "processes pace rates only, not delay, jitter and loss; remove these, or use enforcement: kernel"
        raise document.error(point.path("link"), message)
    if not registry.load("algorithm", cell.algorithm.name).supports_pacing:
        message = (
            f"process cannot pace {cell.algorithm.name}: its collectives are torch's own, which liecbench "
            "cannot pace; remove it, or use enforcement: kernel"
        )
        raise document.error(("enforcement",), message)
