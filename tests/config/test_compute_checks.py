"""Scenarios whose task is a profile: cells that are only timed, and keys that make no sense for them."""

import json
from pathlib import Path
from typing import Any

import pytest

from liecbench.config.bundled_scenarios import profile_path
from liecbench.config.cell import Cell
from liecbench.config.cell_fields import flat_fields
from liecbench.config.loader import load_scenario
from liecbench.config.scenario import Scenario
from liecbench.config.selection import select
from liecbench.errors import ScenarioError
from liecbench.estimate.planned_bytes import traffic
from tests import profiles_of_tasks

TIMED = """\
name: timed
task: {profile: p.json}
matrix: {algorithm: [ddp, liec], compressor: sign, workers: [2, 4], link: [100mbit, 1gbit]}
"""


def loaded(directory: Path, text: str, *assignments: str, **profile: Any) -> Scenario:
    profiles_of_tasks.write(directory / "p.json", **profile)
    profiles_of_tasks.write(directory / "q.json", forward={"median": 0.5})
    (directory / "s.yaml").write_text(text)
    return load_scenario(directory / "s.yaml", assignments)


def refusal(directory: Path, text: str, *assignments: str, **profile: Any) -> str:
    with pytest.raises(ScenarioError) as raised:
        loaded(directory, text, *assignments, **profile)
    return str(raised.value).replace(str(directory), "")


def test_every_cell_replays_the_profile_and_has_no_other_task(tmp_path: Path) -> None:
    cells = loaded(tmp_path, TIMED).cells()
    spec = cells[0].spec()

    assert len(cells) == 8
    assert spec["task"] == {"profile": spec["profile"]}
    assert {(cell.compute, cell.profile, cell.is_trained) for cell in cells} == {("replayed", spec["profile"], False)}
    assert [Cell.from_spec(cell.spec()) for cell in cells] == cells
    assert len({cell.setting for cell in cells}) == 4
    assert "dataset" not in flat_fields(spec)
    with pytest.raises(ValueError, match="nothing is trained"):
        _ = cells[0].trajectory


def test_profiles_may_be_an_axis(tmp_path: Path) -> None:
    text = TIMED.replace("{profile: p.json}", "{}").replace("matrix: {", "matrix: {profile: [p.json, q.json], ")
    found = loaded(tmp_path, text + "exclude: [{profile: q.json, workers: 4}]\n")

    assert len(found.cells()) == 12
    assert len(found.profiles) == len({cell.profile for cell in found.cells()}) == 2
    assert len(select(found.cells(), [f"profile={found.profiles[1].sha256}"])) == 4


def test_the_bytes_of_a_step_are_those_of_the_profiles_parameters(tmp_path: Path) -> None:
    cell = next(cell for cell in loaded(tmp_path, TIMED).cells() if cell.algorithm.name == "ddp")
    numel = 256 * 64 + 256 + 256 * 256 + 256 + 10 * 256 + 10
    (kind,) = traffic(cell).values()

    assert kind.ranks == [(4 * numel, 4 * numel)] * 2  # a ring of two sends and receives 2 · 1/2 of the gradient


def test_the_stored_scenario_can_be_run_again_with_the_copy_of_the_profile(tmp_path: Path) -> None:
    found = loaded(tmp_path, TIMED)
    (profile,) = found.profiles
    (tmp_path / "profiles").mkdir()
    (tmp_path / profile.stored_name).write_bytes(profile.content)
    stored = found.stored()
    again = loaded(tmp_path, json.dumps(stored))

    assert not {"accuracy_tolerance", "loss_tolerance", "target_accuracy"} & stored.keys()
    assert (stored["task"], stored["compute"]) == ({"profile": f"profiles/{profile.sha256}.json"}, "replayed")
    assert [cell.id for cell in found.cells()] == [cell.id for cell in again.cells()]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("p.json}", "p.json, epochs: 3}", "/s.yaml:2:25: task.epochs: a task with a profile is only timed"),
        ("p.json}", "p.json, dataset: digits}", "/s.yaml:2:25: task.dataset: a task with a profile"),
        ("workers:", "batch_size: [8], workers:", "/s.yaml:3:65: matrix.batch_size[0]: a task with"),
        ("[ddp, liec]", "[{name: ddp, task: {learning_rate: 0.1}}]", "task.learning_rate: a task with a profile"),
        ("name: timed\n", "name: timed\ntarget_accuracy: 0.9\n", "/s.yaml:2:1: target_accuracy: nothing is trained"),
        ("name: timed\n", "name: timed\naccuracy_tolerance: 0.1\n", "/s.yaml:2:1: accuracy_tolerance: nothing is"),
        ("name: timed\n", "name: timed\ntiming: end_to_end\n", "/s.yaml:2:9: timing: end_to_end times training, and"),
        ("name: timed\n", "name: timed\ncompute: measured\n", "/s.yaml:2:10: compute: a task with a profile is"),
        ("name: timed\n", "name: timed\ncompute: p.json\n", "/s.yaml:2:10: compute: a task with a profile is"),
        ("workers:", "seed: [0, 1], workers:", "/s.yaml:3:58: matrix.seed: seeds change nothing where nothing is"),
        ("p.json", "none.json", "/s.yaml:2:17: task.profile: none.json: No such file or directory"),
        (
            "{profile: p.json}",
            "{profile: null}",
            "/s.yaml:2:17: task.profile: None is no profile; write its path or name",
        ),
        (
            "[ddp, liec]",
            "[ddp, {name: neolithic, accumulate: true}]",
            "/s.yaml:3:27: matrix.algorithm[1]: neolithic takes 2 minibatches per step, and a task with a profile",
        ),
        ("compressor: sign", "compressor: top_k", "/s.yaml:2:17: task.profile: p.json has no times of the compressor"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TIMED
    assert message in refusal(tmp_path, TIMED.replace(old, new))


def test_the_profile_of_a_task_may_be_a_bundled_one(tmp_path: Path) -> None:
    (file,) = loaded(tmp_path, TIMED.replace("p.json", "h100-resnet18")).profiles

    assert file.content == profile_path("h100-resnet18").read_bytes()
    assert "did you mean h100-resnet18?" in refusal(tmp_path, TIMED.replace("p.json", "h100-resnet81"))


def test_trained_and_timed_cells_do_not_mix(tmp_path: Path) -> None:
    task = "{dataset: digits, model: mlp, batch_size: 8, epochs: 1, learning_rate: 1.0}"
    include = "include: [{algorithm: {name: ddp, task: {profile: p.json}}}]\n"
    of_own = TIMED.replace("{profile: p.json}", "{}").replace("ddp", "{name: ddp, task: {profile: p.json}}")

    assert "is only timed" in refusal(tmp_path, TIMED.replace("{profile: p.json}", task) + include)
    assert "task.dataset: the key is missing" in refusal(tmp_path, of_own)


def test_a_dilation_may_be_given(tmp_path: Path) -> None:
    assert {16} == {cell.dilation for cell in loaded(tmp_path, f"dilation: 16\n{TIMED}").cells()}
