"""The stored baseline: bytes, accuracy and times of each completed cell, in a file with a checksum against edits."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Self

from annotated_types import Ge, Le, MinLen
from pydantic import SerializerFunctionWrapHandler, ValidationError, field_validator, model_serializer

from liecbench import __version__
from liecbench.check.stored.session_times import undisturbed_epochs
from liecbench.config.cell import Cell, Model
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.host import regular_files
from liecbench.results.cells import CellResult
from liecbench.results.records import Epoch

SCHEMA: Final = 1
TYPE: Final = "liecbench-baseline"
_MOST_BYTES: Final = 2**30
_WRITE: Final = "`liecbench baseline RESULTS -o FILE`"

Count = Annotated[int, Ge(0), Le(2**63 - 1)]
# Wider than the range of float32, and the square of any value within is still a finite float.
Real = Annotated[float, Ge(-1e100), Le(1e100)]
Seconds = Annotated[float, Ge(0), Le(1e100)]


class StoredBytes(Model):
    """Bytes that each rank sent and received in an epoch; both lists have one entry per rank."""

    sent: list[Count]
    received: list[Count]

    @property
    def total(self) -> int:
        """Bytes sent and received by all ranks."""
        return sum(self.sent) + sum(self.received)


class StoredFirstSteps(Model):
    """The numbers of a cell's first steps: a loss per step, and compression error and residual norm after the last."""

    train_loss: list[Real]
    compression_error: Real | None
    residual_norm: Real | None


class StoredEpoch(Model):
    """The fields of an epoch's record that checks need; accuracy is a fraction."""

    epoch: Annotated[int, Ge(1), Le(10**9)]
    steps: Annotated[int, Ge(1), Le(10**9)]
    timed_steps: Count
    payload_bytes: StoredBytes
    messages: list[Count]
    wire_bytes: StoredBytes | None
    compression_error: Real | None
    residual_norm: Real | None
    train_loss: Real
    test_loss: Real
    test_accuracy: Real
    train_seconds: Seconds
    exposed_seconds: Seconds
    communicate_seconds: Seconds
    least_communicate_seconds: Seconds | None
    other_cpu_share: Real | None
    first_steps: StoredFirstSteps | None = None

    @classmethod
    def of(cls, epoch: Epoch) -> Self:
        """Return the fields of a record that a baseline stores; raise ValidationError if a value is out of bounds."""
        first = None if epoch.first_steps is None else dataclasses.asdict(epoch.first_steps)
        return cls.model_validate({**{name: getattr(epoch, name) for name in cls.model_fields}, "first_steps": first})

    @model_serializer(mode="wrap")
    def _omit_new_fields(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out ``first_steps`` if it is None: versions without this field can then read the file."""
        fields: dict[str, Any] = serialise(self)
        return {name: value for name, value in fields.items() if value is not None or name != "first_steps"}


class Environment(Model):
    """The fields of a cell's environment that decide which metrics can be compared; an unrecorded field is None."""

    torch: str | None = None
    cpu: str | None = None
    data_sha256: str | None = None
    link: dict[str, Any] | None = None
    gpus: list[str] | None = None
    nccl: dict[str, Any] | None = None

    @classmethod
    def of(cls, recorded: Mapping[str, Any]) -> Self:
        """Return the fields of a recorded environment that a baseline stores."""
        gpus = (recorded.get("gpu") or {}).get("names")
        return cls.model_validate({**{name: recorded.get(name) for name in cls.model_fields}, "gpus": gpus})

    @model_serializer(mode="wrap")
    def _omit_new_fields(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out ``gpus`` and ``nccl`` if they are None: versions without these fields can then read the file."""
        fields: dict[str, Any] = serialise(self)
        return {name: value for name, value in fields.items() if value is not None or name not in ("gpus", "nccl")}


class BaselineCell(Model):
    """One cell of a baseline: its spec, its environment, and its epochs in order."""

    spec: dict[str, Any]
    environment: Environment
    epochs: list[StoredEpoch]

    @field_validator("spec")
    @classmethod
    def _fill_in(cls, spec: dict[str, Any]) -> dict[str, Any]:
        """Return the spec with the defaults of fields that a later version added to cells."""
        try:
            return Cell.from_spec(spec).spec()
        except ValidationError as error:
            raise ValueError(_first_error(error)) from None

    @property
    def seed(self) -> int:
        """The cell's seed."""
        return int(self.spec["seed"])

    @classmethod
    def of(cls, cell: CellResult) -> Self:
        """Return the fields of a cell that a baseline stores; an unfinished cell has the epochs recorded so far.

        Raises:
            LiecbenchError: If the cell's records are invalid.
        """
        try:
            environment = Environment.of(cell.environment)
            epochs = [StoredEpoch.of(epoch) for epoch in undisturbed_epochs(cell)]
            return cls.model_validate({"spec": cell.spec, "environment": environment, "epochs": epochs})
        except ValidationError as error:
            remedy = "use the liecbench that wrote it, or run the cell again"
            raise LiecbenchError(f"cell {cell.id}: its records are invalid: {_first_error(error)}", remedy) from None


class Baseline(Model):
    """A stored baseline: the cells of a run that completed, and the version of liecbench that wrote the file."""

    liecbench: str
    cells: Annotated[list[BaselineCell], MinLen(1)]

    @field_validator("cells")
    @classmethod
    def _require_epochs(cls, cells: list[BaselineCell]) -> list[BaselineCell]:
        if any(not entry.epochs for entry in cells):
            raise ValueError("a cell has no epoch")
        return cells

    @classmethod
    def of(cls, cells: Sequence[CellResult]) -> Self:
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
            regular_files.write_text(path, self._text())
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
            return cls._parse(regular_files.read_bytes(path, _MOST_BYTES).decode())
        except FileNotFoundError:
            raise NothingToCompareError(f"{path}: there is no such baseline", f"write one with {_WRITE}") from None
        except OSError as error:
            raise LiecbenchError(f"{path}: {error.strerror}", f"give the file that {_WRITE} wrote") from None
        except ValidationError as error:
            raise LiecbenchError(
                f"{path}: not a baseline that liecbench wrote: {_first_error(error)}", remedy
            ) from None
        except UnicodeDecodeError:
            raise LiecbenchError(f"{path}: not UTF-8 text, so it is no baseline", remedy) from None
        except json.JSONDecodeError as error:
            message = f"{path}:{error.lineno}:{error.colno}: not JSON: it is no baseline, or was truncated or edited"
            raise LiecbenchError(message, remedy) from None
        except (ValueError, RecursionError) as error:
            raise LiecbenchError(f"{path}: {error}", remedy) from None

    def _text(self) -> str:
        head = {"type": TYPE, "schema": SCHEMA, "liecbench": self.liecbench}
        cells = [entry.model_dump(mode="json") for entry in self.cells]
        return _canonical({**head, "sha256": _sha256({**head, "cells": cells}), "cells": cells}) + "\n"

    @classmethod
    def _parse(cls, text: str) -> Self:
        if not text.strip():
            raise ValueError("it is empty")
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("type") != TYPE:
            raise ValueError(f"it is no baseline: its first field is not type {TYPE}")
        if document.get("schema") != SCHEMA:
            raise ValueError(f"it is of another schema; this version reads schema {SCHEMA}")
        rest = {name: value for name, value in document.items() if name != "sha256"}
        # The checksum detects changed values; comparing the text detects another format. Git may change line ends.
        same_text = text.replace("\r\n", "\n").rstrip() == _canonical(document)
        if not same_text or document.get("sha256") != _sha256(rest):
            raise ValueError("it was edited after it was written")
        stored = {name: value for name, value in rest.items() if name not in ("type", "schema")}
        return cls.model_validate_json(_canonical(stored))


def left_out(cells: Sequence[CellResult]) -> list[str]:
    """Return a line for each cell that did not complete, and so is not in the baseline: its name and status."""
    rest = [cell for cell in cells if cell.status != "completed"]
    return [f"{Cell.from_spec(cell.spec).describe()}: {cell.status}" for cell in rest]


def _sort_key(entry: BaselineCell) -> tuple[str, int]:
    others = {name: value for name, value in entry.spec.items() if name != "seed"}
    return json.dumps(others, sort_keys=True), entry.seed


def _canonical(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, allow_nan=False)


def _sha256(document: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(document).encode()).hexdigest()


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"
