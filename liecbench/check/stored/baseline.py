"""The stored baseline: bytes, accuracy and times of each completed cell, in a file with a checksum against edits."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Self

from annotated_types import MaxLen, MinLen
from pydantic import Field, InstanceOf, ValidationError, field_validator

from liecbench import __version__
from liecbench.check.stored import baseline_text
from liecbench.check.stored.baseline_cell import BaselineCell, first_error
from liecbench.config.cell import Cell
from liecbench.config.cell_fields import num_epochs
from liecbench.config.choice import Model
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.results.cells import CellResult
from liecbench.untrusted import regular_files

_MOST_BYTES: Final = 2**30
_WRITE: Final = "`liecbench baseline RESULTS -o FILE`"


class Baseline(Model):
    """A stored baseline: a run's completed cells.

    Attributes:
        liecbench: The version of liecbench that stored the baseline.
        cells: The completed cells, at least one.
    """

    liecbench: str
    cells: Annotated[list[InstanceOf[BaselineCell]], MinLen(1)]  # each validated itself when it was made

    @field_validator("cells")
    @classmethod
    def _require_epochs(cls, cells: list[BaselineCell]) -> list[BaselineCell]:
        for entry in cells:
            if len(entry.epochs) != (expected := num_epochs(entry.spec)):
                raise ValueError(f"a cell has {len(entry.epochs)} of its {expected} epochs")
        return cells

    @classmethod
    def of(cls, cells: Iterable[CellResult]) -> Self:
        """Return a baseline of the completed cells among ``cells``.

        Raises:
            NothingToCompareError: If no cell has completed.
        """
        completed = [BaselineCell.of(cell) for cell in cells if cell.status == "completed"]
        if not completed:
            raise NothingToCompareError("no cell has completed", "let `liecbench run` finish one")
        return cls(liecbench=__version__, cells=sorted(completed, key=_sort_key))

    def write(self, path: Path) -> None:
        """Write the baseline to a file, atomically; equal baselines give files that are equal to the byte.

        Raises:
            LiecbenchError: If the file cannot be written.
        """
        try:
            cells = (cell.as_dict() for cell in self.cells)
            regular_files.write_bytes(path, baseline_text.sealed(self.liecbench, cells))
        except OSError as error:
            raise LiecbenchError(f"{path}: {error.strerror}", "give a file in a directory that you can write") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the baseline from a file that ``write`` wrote.

        Raises:
            NothingToCompareError: If there is no such file.
            LiecbenchError: If the file is not a baseline, or was edited.
        """
        remedy = f"restore it, or write it again with {_WRITE}"
        try:
            return cls._parse(regular_files.read_bytes(path, _MOST_BYTES))
        except FileNotFoundError:
            raise NothingToCompareError(f"{path}: there is no such baseline", f"write one with {_WRITE}") from None
        except OSError as error:
            raise LiecbenchError(f"{path}: {error.strerror}", f"give the file that {_WRITE} wrote") from None
        except ValidationError as error:
            raise LiecbenchError(f"{path}: not a baseline that liecbench wrote: {first_error(error)}", remedy) from None
        except UnicodeDecodeError:
            raise LiecbenchError(f"{path}: not UTF-8 text, so it is no baseline", remedy) from None
        except json.JSONDecodeError as error:
            message = f"{path}:{error.lineno}:{error.colno}: not JSON: it is no baseline, or was truncated or edited"
            raise LiecbenchError(message, remedy) from None
        except (ValueError, RecursionError) as error:
            raise LiecbenchError(f"{path}: {error}", remedy) from None

    @classmethod
    def _parse(cls, content: bytes) -> Self:
        rest, cells = baseline_text.unsealed(content)
        envelope = _Envelope.model_validate_json(rest)
        return cls(liecbench=envelope.liecbench, cells=[BaselineCell.parse(cell) for cell in cells])


class _Envelope(Model):
    """The fields of a baseline's file, with an empty list in place of the cells."""

    type: str
    schema_: Annotated[int, Field(alias="schema")]
    liecbench: str
    sha256: str
    cells: Annotated[list[Any], MaxLen(0)]


def left_out(cells: Sequence[CellResult]) -> list[str]:
    """Return a line with name and status for each cell that is not in the baseline because it did not complete."""
    rest = [cell for cell in cells if cell.status != "completed"]
    return [f"{Cell.from_spec(cell.spec).describe()}: {cell.status}" for cell in rest]


def _sort_key(entry: BaselineCell) -> tuple[str, int]:
    return entry.keys.without_seed, entry.seed
