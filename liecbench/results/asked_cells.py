"""The cells that the last run in a results directory asked for, which tell comparisons what the run did not finish.

They are stored, because the cells of a stored scenario cannot be computed without running code: the defaults of a
method's options come from its class, which a scenario may take from a file of the user's.
"""

import json
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Self

from annotated_types import MinLen
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from liecbench.config.cell import Cell, Seed
from liecbench.config.known_specs import alike_key, cell_id, check_spec
from liecbench.errors import LiecbenchError
from liecbench.untrusted import regular_files

CELLS_NAME: Final = "cells.json"
_MOST_BYTES: Final = 2**28
_STRICT: Final = ConfigDict(strict=True, extra="ignore")


@checked_dataclass(frozen=True, kw_only=True, config=_STRICT)
class AlikeCells:
    """Cells that differ only in the seed: the fields of one of them, and the seeds of all."""

    spec: dict[str, Any]
    seeds: Annotated[list[Seed], MinLen(1)]

    def with_seed(self, seed: int) -> Cell:
        """Return the cell with this seed."""
        return Cell.from_spec({**self.spec, "seed": seed})


@checked_dataclass(frozen=True, kw_only=True, config=_STRICT)
class AskedCells:
    """The cells that the last run in a results directory asked for.

    Attributes:
        only: The conditions ``KEY=VALUE`` of ``--only`` that chose the cells from those of the scenario.
        cells: The cells, grouped by everything but the seed, which keeps the file small.
    """

    only: list[str]
    cells: Annotated[list[AlikeCells], MinLen(1)]

    @classmethod
    def of(cls, cells: Iterable[Cell], only: Sequence[str] = ()) -> Self:
        """Return the cells of a run, chosen by the conditions ``only``."""
        alike: dict[bytes, tuple[dict[str, Any], list[int]]] = {}
        for cell in cells:
            spec = cell.spec()
            alike.setdefault(alike_key(spec), (spec, []))[1].append(cell.seed)
        return cls(only=list(only), cells=[AlikeCells(spec=spec, seeds=seeds) for spec, seeds in alike.values()])

    def without(self, ids: Container[str]) -> list[Cell]:
        """Return the cells whose ids are not in ``ids``."""
        return [alike.with_seed(seed) for id_, alike, seed in self._with_ids() if id_ not in ids]

    def ids(self) -> set[str]:
        """Return the ids of the cells."""
        return {id_ for id_, _, _ in self._with_ids()}

    def _with_ids(self) -> Iterator[tuple[str, AlikeCells, int]]:
        for alike in self.cells:
            key = alike_key(alike.spec)
            for seed in alike.seeds:
                yield cell_id({**alike.spec, "seed": seed}, key), alike, seed


_ADAPTER: Final = TypeAdapter(AskedCells)


def write_asked(directory: Path, asked: AskedCells) -> None:
    """Write the cells that a run asks for to ``cells.json`` in its results directory."""
    content = json.dumps(_ADAPTER.dump_python(asked))
    regular_files.write_text(directory / CELLS_NAME, f"{content}\n")


def read_asked(directory: Path) -> AskedCells | None:
    """Return the cells that the last run in a results directory asked for; None if an earlier version ran there.

    Raises:
        LiecbenchError: If the file is not one that ``write_asked`` wrote.
    """
    path = directory / CELLS_NAME
    if not path.exists():
        return None
    try:
        asked = _ADAPTER.validate_json(regular_files.read_bytes(path, _MOST_BYTES))
        for alike in asked.cells:
            check_spec(alike.spec, alike_key(alike.spec))
    except (OSError, ValidationError):
        message = f"{path}: not a list of cells as `run` writes it, and not used"
        raise LiecbenchError(message, "remove it, or run the scenario again") from None
    return asked
