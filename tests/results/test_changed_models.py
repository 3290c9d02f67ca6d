import hashlib
from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.results.cells import CellResult
from liecbench.results.changed_models import changed_models, version_warnings
from liecbench.results.environment_record import Environment
from tests import ledgers

OWN = "tests.own_tasks:linear"
CURRENT = hashlib.sha256((Path(__file__).parents[1] / "own_tasks.py").read_bytes()).hexdigest()


def result(name: str, model_sha256: str | None, *, epochs: int = 1) -> CellResult:
    return CellResult(
        id=str(model_sha256),
        spec=ledgers.spec(task={"model": {"name": name}}),
        environment=Environment(model_sha256=model_sha256),
        attempt=1,
        epochs=[ledgers.epoch("a", number) for number in range(1, epochs + 1)],
    )


@pytest.fixture
def own_cell() -> Cell:
    return Cell.from_spec(ledgers.spec(task={"model": {"name": OWN}}))


def test_a_changed_file_of_a_users_model_is_told(own_cell: Cell) -> None:
    done = [result(OWN, "old"), result(OWN, "older"), result(OWN, CURRENT), result(OWN, "not begun", epochs=0)]

    (sentence,) = changed_models([own_cell, own_cell], done)

    assert sentence.startswith(f"the file of {OWN} has changed since 2 cells began: ")


@pytest.mark.parametrize(
    "done", [[], [result(OWN, CURRENT)], [result(OWN, None)], [result("tests.own_tasks:two_outputs", "old")]]
)
def test_nothing_is_told_of_unchanged_files_old_records_and_other_models(
    own_cell: Cell, done: list[CellResult]
) -> None:
    assert changed_models([own_cell], done) == []


def test_models_of_the_registry_have_no_file_of_the_users() -> None:
    assert changed_models([Cell.from_spec(ledgers.spec())], [result("mlp", "old")]) == []


def test_a_row_of_several_versions_has_a_warning() -> None:
    (warning,) = version_warnings([result(OWN, "a"), result(OWN, "b"), result(OWN, None)])

    assert "different versions of the model's file" in warning
    assert version_warnings([result(OWN, "a"), result(OWN, "a"), result(OWN, None)]) == []
