"""Communication times of cells that were timed in a session, without the bursts that other processes disturbed."""

import dataclasses
import statistics

from liecbench.results.cells import CellResult
from liecbench.results.records import Epoch


def undisturbed_epochs(cell: CellResult) -> list[Epoch]:
    """Return a cell's epochs; those of a timing session with the median burst's least communication time.

    The epochs of ``cell`` have means over bursts, and a disturbed burst, which only takes longer, would raise a mean.
    """
    per_step: dict[str, list[float]] = {}
    for burst in cell.timings:
        per_step.setdefault(burst.kind, []).append(burst.least_communicate_seconds / burst.steps)
    medians = {kind: statistics.median(seconds) for kind, seconds in per_step.items()}
    return [_with_medians(epoch, medians) for epoch in cell.epochs]


def _with_medians(epoch: Epoch, medians: dict[str, float]) -> Epoch:
    kinds = epoch.step_kinds or {}
    if not kinds or not kinds.keys() <= medians.keys():
        return epoch
    return dataclasses.replace(epoch, least_communicate_seconds=sum(n * medians[kind] for kind, n in kinds.items()))
