"""Notes of a dry run on what slows a run down, such as lossy links or more computing workers than cores."""

from collections.abc import Iterator, Sequence

from liecbench.config.cell import Cell
from liecbench.estimate.machine_speed import other_processes, oversubscription
from liecbench.launch.pending import Pending
from liecbench.network.goodput import slowest_stream
from liecbench.network.quantity import format_rate


def notes(pending: Pending) -> Iterator[str]:
    """Yield the notes on this machine and on the work that is left."""
    trained, timed = [job.cell for job in pending.jobs], [session.cell for session in pending.sessions]
    cells = [*trained, *timed]
    yield from _oversubscribed(trained, timed)
    yield from _lossy(cells)
    if (others := other_processes()) and cells:
        yield f"note: about {others:.1f} other processes compute now; the estimate assumes that they go on"


def _oversubscribed(trained: Sequence[Cell], timed: Sequence[Cell]) -> Iterator[str]:
    """Yield a note for each number of workers that compute and are too many for this machine's cores."""
    computing = [cell for cell in (*trained, *timed) if cell.device == "cpu" and cell.compute == "measured"]
    for count in dict.fromkeys((cell.workers, cell.threads) for cell in computing):
        same = [cell for cell in computing if (cell.workers, cell.threads) == count]
        if (load := oversubscription(same[0])) <= 1:
            continue
        during, consequence = "in training", ""
        if any(cell.timing != "trajectory" for cell in same):
            during, consequence = "in training and timing", "; on machines of their own they would not"
        elif any((cell.workers, cell.threads) == count for cell in timed):
            consequence = "; timing is replayed, and not affected"
        workers, threads = count
        with_threads = f" with {threads} threads each" if threads > 1 else ""
        yield (
            f"note: {during}, {workers} workers{with_threads} share {round(workers * threads / load)} cores, "
            f"so each computes {load:.2g} times as long as alone{consequence}"
        )


def _lossy(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield a note for each link of ``cells`` on which losses keep a TCP stream below the link's rate."""
    for links in dict.fromkeys(cell.link for cell in cells if any(link.loss for link in cell.link.links())):
        stream = slowest_stream(links)
        if stream < min(link.lower_bits_per_second for link in links.links()):
            rate = format_rate(int(round(stream, -4)))
            yield f"note: on {links}, losses leave one TCP stream about {rate}, as estimated by Mathis' formula"
