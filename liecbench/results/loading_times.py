"""Epoch seconds that include the loading of batches, as some papers report them."""

import dataclasses
from collections.abc import Sequence

from liecbench.results.cells import CellResult
from liecbench.results.records import Epoch
from liecbench.results.timing_record import Timing

NOTE = "s/epoch includes the seconds in which ranks load and augment batches"
NOT_LOADED = "ranks that replay a profile load no batches, so that their times do not include loading"


def with_loading(cell: CellResult) -> CellResult:
    """Return a copy of a cell in which the total seconds and ``other_seconds`` include the loading of batches."""
    return dataclasses.replace(
        cell,
        epochs=[_of_epoch(epoch) for epoch in cell.epochs],
        timings=tuple(_of_burst(timing) for timing in cell.timings),
        long_run=None if cell.long_run is None else _of_epoch(cell.long_run),
    )


def loading_notes(cells: Sequence[CellResult]) -> list[str]:
    """Return the notes to show with a comparison whose times include the loading of batches.

    The first note says that the times include loading. If any cell is replayed, a second note says that the times of
    replayed cells do not.
    """
    return [NOTE, *[NOT_LOADED] * any(cell.is_replayed for cell in cells)]


def _of_epoch(epoch: Epoch) -> Epoch:
    loading = epoch.data_seconds
    return dataclasses.replace(
        epoch,
        train_seconds=epoch.train_seconds + loading,
        other_seconds=None if epoch.other_seconds is None else epoch.other_seconds + loading,
        data_seconds=0.0,
    )


def _of_burst(timing: Timing) -> Timing:
    loading = timing.data_seconds
    return dataclasses.replace(
        timing,
        seconds=timing.seconds + loading,
        raw_seconds=None if timing.raw_seconds is None else timing.raw_seconds + loading * timing.dilation,
        other_seconds=timing.other_seconds + loading,
        data_seconds=0.0,
    )
