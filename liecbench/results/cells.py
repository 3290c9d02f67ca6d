"""State of cells, rebuilt from a ledger's records: the status of each cell, and its epochs in order."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from liecbench.results.records import End, Epoch, Record, Start, Timing


@dataclass(slots=True, kw_only=True)
class CellResult:
    """The state of one cell after its last record.

    ``epochs`` are in order. If several attempts recorded the same epoch, the latest attempt counts. ``timings`` are all
    bursts of the cell's contestant; cells that were timed while they trained have none.
    """

    id: str
    spec: dict[str, Any]
    environment: dict[str, Any]
    attempt: int
    epochs: list[Epoch] = field(default_factory=list)
    timings: tuple[Timing, ...] = ()
    status: Literal["completed", "failed", "diverged", "unfinished"] = "unfinished"
    error: str | None = None
    directory: str | None = None  # set if several of the loaded results directories completed the same cell

    @property
    def is_final(self) -> bool:
        """True if the cell completed or diverged; later runs retry failed cells and continue unfinished ones."""
        return self.status in ("completed", "diverged")


def replay(records: Iterable[Record], cells: dict[str, CellResult] | None = None) -> dict[str, CellResult]:
    """Apply records to the state of their cells.

    Epoch and End records are ignored if their cell has no Start record before them.

    Args:
        records: Records in the order of the ledger.
        cells: The cells by id as earlier records left them, updated in place; none by default.

    Returns:
        The cells by id, in the order in which they began.
    """
    cells = {} if cells is None else cells
    for record in records:
        match record:
            case Start():
                before = cells.get(record.cell)
                epochs = [epoch for epoch in before.epochs if epoch.epoch <= record.epochs_done] if before else []
                cells[record.cell] = CellResult(
                    id=record.cell,
                    spec=record.spec,
                    environment=record.environment,
                    attempt=record.attempt,
                    epochs=epochs,
                )
            case Epoch() if record.cell in cells:
                cells[record.cell].epochs.append(record)
            case End() if record.cell in cells and (record.status != "completed" or cells[record.cell].epochs):
                cells[record.cell].status, cells[record.cell].error = record.status, record.error
    return cells
