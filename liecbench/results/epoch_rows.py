"""Epochs as flat rows: one mapping per epoch of every cell, for data frames and exports."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

from liecbench.config.cell_fields import flat_fields
from liecbench.results.cells import CellResult
from liecbench.results.pace import Pace
from liecbench.results.records import EXPOSED_PARTS, TIMED_SECONDS, Epoch

_LEARNED: Final = ("train_loss", "test_loss", "test_accuracy")
_REST: Final = (
    *("compression_error", "residual_norm", "divergence", "peak_memory_bytes", "memory_bytes", "optimizer_bytes"),
    *("tokens", "samples"),
)


def epoch_rows(cells: Iterable[CellResult]) -> list[dict[str, Any]]:
    """Return one row per epoch of each cell, in the order of ``cells`` and, within a cell, of the epochs.

    A row has the cell's fields (the seed among them), ``cell`` (the cell's id), ``status``, ``epoch`` (from 1) and the
    measured values. The values have the names and meanings that they have in ``epoch`` records, except:

    - ``payload_bytes`` and ``wire_bytes`` are sent + received bytes, the mean over ranks.
    - ``train_seconds_low`` and ``train_seconds_high`` are the ends of the 95 % interval of ``train_seconds``. They are
      None if no timing session timed the cell in at least two rounds.
    - ``step_seconds_median`` and ``step_seconds_p95`` are the median and the 95th percentile of the seconds of a step.
    - GPU figures have the prefix ``gpu_``, such as ``gpu_energy_joules``.

    Unknown values are None, except that GPU figures that were not measured are left out. If an epoch has no timed
    steps, its times are None.
    """
    return [row for cell in cells for row in _rows(cell)]


def epoch_fields(cell: CellResult) -> dict[str, Any]:
    """Return the fields that all rows of a cell share: its configuration (with the seed), directory, id and status."""
    directory = {} if cell.directory is None else {"results": cell.directory}
    return {**flat_fields(cell.spec), **directory, "cell": cell.id, "status": cell.status}


def _rows(cell: CellResult) -> Iterator[dict[str, Any]]:
    fields, (low, high) = epoch_fields(cell), _relative_interval(cell)
    for epoch in cell.epochs:
        values = {name: _known(getattr(epoch, name)) for name in (*_LEARNED, *_REST)}
        yield {
            **fields,
            "epoch": epoch.epoch,
            "steps": epoch.steps,
            **values,
            **_times(epoch, low, high),
            **_gpu(epoch),
        }


def _times(epoch: Epoch, low: float | None, high: float | None) -> dict[str, float | None]:
    timed = epoch.timed_steps > 0
    seconds = epoch.train_seconds
    steps = epoch.step_seconds or {}
    return {
        **{name: getattr(epoch, name) if timed else None for name in (*TIMED_SECONDS, *EXPOSED_PARTS)},
        "train_seconds_low": seconds * low if timed and low is not None else None,
        "train_seconds_high": seconds * high if timed and high is not None else None,
        "step_seconds_median": steps.get("median"),
        "step_seconds_p95": steps.get("p95"),
        "payload_bytes": epoch.payload_bytes_per_rank,
        "wire_bytes": epoch.wire_bytes_per_rank,
    }


def _gpu(epoch: Epoch) -> dict[str, float]:
    return {f"gpu_{name}": value for name, value in (epoch.gpu or {}).items()}


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _relative_interval(cell: CellResult) -> tuple[float | None, float | None]:
    """Return (low, high): the 95 % interval of a cell's mean seconds per epoch, relative to the mean.

    The mean is the geometric mean over rounds. For example, (0.97, 1.04) means from 3 % below to 4 % above the mean. An
    unknown end is None.
    """
    rounds = Pace.of_cells([cell], {}).log_seconds if cell.epochs else None
    if rounds is None:
        return None, None
    found = rounds.estimate()
    low, high = found.low, found.high
    return None if low is None else low / found.mean, None if high is None else high / found.mean
