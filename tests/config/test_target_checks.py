from pathlib import Path

import pytest

from liecbench.config.loader import load_scenario
from liecbench.config.scenario import Scenario
from liecbench.config.selection import select
from liecbench.errors import ScenarioError

TEXT = "dataset: {name: text, context: 8, characters: 1000}, model: {name: gpt, width: 8, layers: 1, heads: 2}"
DIGITS = "dataset: digits, model: mlp"


def loaded(directory: Path, task: str, targets: str) -> Scenario:
    path = directory / "s.yaml"
    path.write_text(
        f"name: s\ntask: {{{task}, batch_size: 4, epochs: 1, learning_rate: 0.1}}\n"
        f"matrix: {{algorithm: [ddp], workers: [2]}}\n{targets}"
    )
    return load_scenario(path)


@pytest.mark.parametrize(
    ("task", "targets", "expected"),
    [
        (
            TEXT,
            "target_accuracy: 0.9\n",
            "4:1: target_accuracy: gpt is a language model, which is judged by its test loss; "
            "write target_loss: 2.0, for example",
        ),
        (
            TEXT,
            "target_loss: 2\ntarget_accuracy: 0.9\n",
            "5:1: target_accuracy: gpt is a language model, which is judged by its test loss; remove it",
        ),
        (
            DIGITS,
            "target_loss: 0.5\n",
            "4:1: target_loss: mlp is no language model: it is judged by its accuracy; "
            "write target_accuracy: 0.9, for example",
        ),
    ],
)
def test_the_wrong_target_is_refused_with_the_right_one(tmp_path: Path, task: str, targets: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        loaded(tmp_path, task, targets)

    assert str(raised.value) == f"{tmp_path}/s.yaml:{expected}"


@pytest.mark.parametrize(("task", "targets"), [(TEXT, "target_loss: 2\n"), (DIGITS, "target_accuracy: 0.9\n")])
def test_the_right_target_is_taken(tmp_path: Path, task: str, targets: str) -> None:
    assert loaded(tmp_path, task, targets).cells()


def test_a_target_of_cells_that_are_not_chosen_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\ntask: {batch_size: 4, epochs: 1, learning_rate: 0.1, dataset: digits, model: mlp}\n"
        f"matrix: {{algorithm: [ddp], workers: [2]}}\ninclude: [{{algorithm: ddp, workers: 2, {TEXT}}}]\n"
        "target_accuracy: 0.9\ntarget_loss: 2\n"
    )

    assert len(load_scenario(path, (), lambda cells: select(cells, ["dataset=text"])).cells()) == 2
    assert len(load_scenario(path).cells()) == 2
