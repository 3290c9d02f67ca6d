"""Ledgers folded into cells: what became of each, its epochs in order, from one or more results directories."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.results.ledger import End, Epoch, Record, Start, read


@dataclass(slots=True, kw_only=True)
class CellResult:
    """What the ledger says of one cell; epochs are in order, each once, the latest attempt's."""

    id: str
    spec: dict[str, Any]
    environment: dict[str, Any]
    attempt: int
    epochs: list[Epoch] = field(default_factory=list)
    status: Literal["completed", "failed", "diverged", "unfinished"] = "unfinished"
    error: str | None = None
    directory: str | None = None  # where two results directories hold the same cell, which one this is of

    @property
    def over(self) -> bool:
        """Whether no run goes on with it."""
        return self.status in ("completed", "diverged")


def fold(records: Iterable[Record]) -> dict[str, CellResult]:
    """Records into cells, by id, in the order in which they began."""
    cells: dict[str, CellResult] = {}
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


def load(directories: Sequence[Path]) -> list[CellResult]:
    """The cells of several results directories.

    Of a cell that one directory completed, what others hold unfinished is left out; where several completed it, all
    are kept and told apart by directory.
    """
    folded = {directory: fold(read(directory)) for directory in directories}
    for directory, found in folded.items():
        for cell in found.values():
            _check_spec(directory, cell)
    completed = Counter(c.id for found in folded.values() for c in found.values() if c.status == "completed")
    if any(count > 1 for count in completed.values()):
        for name, found in zip(_short_names(directories), folded.values(), strict=True):
            for cell in found.values():
                cell.directory = name
    cells = [c for found in folded.values() for c in found.values() if c.status == "completed" or not completed[c.id]]
    if not cells:
        names = ", ".join(str(directory) for directory in directories)
        raise NothingToCompareError(f"{names}: no cell has begun", "let `liecbench run` finish an epoch")
    return cells


def _short_names(directories: Sequence[Path]) -> list[str]:
    """As much of each path's end as tells them apart: a page for others need not show the rest."""
    parts = [directory.resolve().parts for directory in dict.fromkeys(directories)]
    length = next((n for n in range(1, 100) if len({path[-n:] for path in parts}) == len(parts)), 100)
    return ["/".join(path[-length:]).replace("//", "/") for path in parts]


def _check_spec(directory: Path, cell: CellResult) -> None:
    try:
        Cell.from_spec(cell.spec)
    except ValidationError as error:
        message = f"{directory}: cell {cell.id}: {error.errors()[0]['msg']} in its spec"
        raise LiecbenchError(message, "use the liecbench that wrote it, or remove the cell's lines") from None
