"""Communication times of cells that were timed in a session, from the median burst.

A burst is a series of consecutive timed steps. Bursts that other processes disturbed hardly change the median.
"""

import dataclasses
import statistics

from liecbench.results.cells import CellResult
from liecbench.results.records import Epoch


def undisturbed_epochs(cell: CellResult) -> list[Epoch]:
    """Return a cell's epochs; if a session timed its steps, with communication times from the median of bursts.

    The epochs of ``cell`` have the mean over bursts, series of consecutive steps, as ``least_communicate_seconds``. A
    burst that other processes disturbed takes longer and raises the mean, but hardly the median.
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
