"""Communication times of cells that were timed in bursts (series of consecutive steps), from the median burst.

Other processes can slow down single bursts. This changes the mean over bursts, but hardly the median.
"""

import dataclasses
import statistics

from liecbench.results.cells import CellResult
from liecbench.results.records import Epoch


def undisturbed_epochs(cell: CellResult) -> list[Epoch]:
    """Return a cell's epochs, with communication times that a few slow bursts hardly change.

    The times are ``least_communicate_seconds``, those of the rank that communicated least. For each step kind, the
    median of the bursts' seconds per step is computed. The time of an epoch becomes the sum of these medians over the
    epoch's steps. If the step kinds of an epoch are unknown, or if one of them was not timed, the epoch is unchanged.
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
