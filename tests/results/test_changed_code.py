import hashlib
from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.config.own_code import CodeFile, Part
from liecbench.results.cells import CellResult
from liecbench.results.changed_code import changed_code, version_warnings
from liecbench.results.environment_record import Environment
from tests import ledgers

OWN = "tests.own_tasks:linear"
CURRENT = hashlib.sha256((Path(__file__).parents[1] / "own_tasks.py").read_bytes()).hexdigest()
OWN_TASK = {"model": {"name": OWN}}


def file(sha256: str) -> CodeFile:
    return CodeFile(module="tests.own_tasks", sha256=sha256)


def result(
    cell: Cell, sha256: str | None = None, *, epochs: int = 1, part: Part = "model", is_earlier: bool = False
) -> CellResult:
    """Return a cell with ``epochs`` epochs.

    Args:
        cell: The cell.
        sha256: The recorded hash of the file of ``part``; None if none was recorded.
        epochs: The number of epochs.
        part: The part.
        is_earlier: True for a record of an earlier version, which recorded only a model's file.
    """
    code = {part: file(sha256)} if sha256 is not None and not is_earlier else None
    return CellResult(
        id=cell.id,
        spec=cell.spec(),
        environment=Environment(code=code, model_sha256=sha256 if is_earlier else None),
        attempt=1,
        epochs=[ledgers.epoch("a", number) for number in range(1, epochs + 1)],
    )


def own_cell(seed: int = 0) -> Cell:
    return Cell.from_spec(ledgers.spec(task=OWN_TASK, seed=seed))


def done(*results: CellResult) -> dict[str, CellResult]:
    return {each.id: each for each in results}


@pytest.mark.parametrize("is_earlier", [False, True])
def test_a_changed_file_is_told_with_the_number_of_its_cells(is_earlier: bool) -> None:
    cells = [own_cell(seed) for seed in range(4)]
    hashes = ["old", "older", CURRENT]
    results = [result(cell, sha256, is_earlier=is_earlier) for cell, sha256 in zip(cells, hashes, strict=False)]
    not_begun = result(cells[3], "old", epochs=0, is_earlier=is_earlier)

    (sentence,) = changed_code(cells, done(*results, not_begun))

    assert sentence.startswith(f"the file of {OWN} has changed since 2 cells began: ")


def test_a_changed_dataset_is_told() -> None:
    cell = Cell.from_spec(ledgers.spec(task={"dataset": {"name": "tests.own_tasks:signs"}}))

    assert len(changed_code([cell], done(result(cell, "old", part="dataset")))) == 1
    assert changed_code([cell], done(result(cell, "old", part="model"))) == []


def test_a_cell_is_told_whose_training_is_of_other_code() -> None:
    cell = own_cell().model_copy(update={"timing": "interleaved"})

    assert len(changed_code([cell], done(result(cell.trajectory, "old")))) == 1
    assert len(changed_code([cell], done(result(cell, "old")))) == 1
    (both,) = changed_code([cell], done(result(cell, "old"), result(cell.trajectory, "old")))
    assert "since 1 cell began" in both


@pytest.mark.parametrize("sha256", [CURRENT, None])
@pytest.mark.parametrize("is_earlier", [False, True])
def test_nothing_is_told_of_unchanged_files_and_of_records_without_hashes(sha256: str | None, is_earlier: bool) -> None:
    assert changed_code([own_cell()], done(result(own_cell(), sha256, is_earlier=is_earlier))) == []


def test_nothing_is_told_of_other_cells_and_of_liecbenchs_own_code() -> None:
    own = Cell.from_spec(ledgers.spec())

    assert changed_code([own_cell(0)], done(result(own_cell(1), "old"))) == []
    assert changed_code([own], done(result(own, "old"))) == []


def test_a_row_of_several_versions_has_a_warning() -> None:
    cell = own_cell()
    (warning,) = version_warnings([result(cell, "a"), result(cell, "b", is_earlier=True), result(cell)])

    assert warning == "its cells were trained with different versions of the model's file"
    assert version_warnings([result(cell, "a"), result(cell, "a", is_earlier=True), result(cell)]) == []
    assert len(version_warnings([result(cell, each, part="algorithm") for each in "ab"])) == 1
