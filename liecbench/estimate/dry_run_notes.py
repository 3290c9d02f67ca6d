"""Notes of a dry run on what makes a run slower than its links or its computing alone."""

from collections.abc import Iterator, Sequence

from liecbench.config.cell import Cell
from liecbench.estimate.machine_speed import other_processes, oversubscription
from liecbench.network.goodput import slowest_stream
from liecbench.network.quantity import format_rate


def notes(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield the notes on ``cells``, which are still to train or to time, and on this machine."""
    yield from _oversubscribed(cells)
    yield from _lossy(cells)
    if (others := other_processes()) and cells:
        yield f"note: about {others:.1f} other processes compute now; the estimate assumes that they go on"


def _oversubscribed(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield a note for each number of workers in ``cells`` that is too large for this machine's cores."""
    for cell in {(cell.workers, cell.threads): cell for cell in cells if _computes(cell)}.values():
        if (load := oversubscription(cell)) > 1:
            cores = round(cell.workers * cell.threads / load)
            threads = f" with {cell.threads} threads each" if cell.threads > 1 else ""
            yield (
                f"note: {cell.workers} workers{threads} share {cores} cores, so each computes "
                f"{load:.2g} times as long as alone; on machines of their own they would not"
            )


def _computes(cell: Cell) -> bool:
    return cell.device == "cpu" and cell.compute == "measured"


def _lossy(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield a note for each link of ``cells`` on which losses keep a TCP stream below the link's rate."""
    for links in dict.fromkeys(cell.link for cell in cells if any(link.loss for link in cell.link.links())):
        stream = slowest_stream(links)
        if stream < min(link.lower_bits_per_second for link in links.links()):
            rate = format_rate(int(round(stream, -4)))
            yield f"note: on {links}, losses leave one TCP stream about {rate}, as estimated by Mathis' formula"
