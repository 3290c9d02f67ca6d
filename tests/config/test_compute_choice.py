"""``compute`` and ``dilation``: what they mean for cells, and which scenarios are refused."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from liecbench.config import auto_compute, compute_choice
from liecbench.config.cell import Cell
from liecbench.config.loader import load_scenario
from liecbench.config.scenario import Scenario
from liecbench.errors import ScenarioError
from liecbench.host import cgroups
from liecbench.profiles.profile_store import ProfileFile
from tests import profiles_of_tasks
from tests.scenarios import BASE, edited, scenario

LINKED = BASE + "  link: [100mbit]\n"


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "num_cpus", lambda: 2)


def computes(text: str) -> list[str]:
    return [cell.compute for cell in scenario(text).cells()]


def loaded(directory: Path, text: str, *assignments: str, **profile: Any) -> Scenario:
    profiles_of_tasks.write(directory / "profile.json", **profile)
    (directory / "s.yaml").write_text(text)
    return load_scenario(directory / "s.yaml", assignments)


def refusal(directory: Path, text: str, *assignments: str, **profile: Any) -> str:
    with pytest.raises(ScenarioError) as raised:
        loaded(directory, text, *assignments, **profile)
    return str(raised.value).replace(str(directory), "")


def test_auto_replays_where_ranks_and_the_emulation_of_links_need_more_cores_than_there_are() -> None:
    matrix = edited("[2]", "[1, 2, 3]") + "  link: [none, 100mbit]\n"
    found = {(cell.workers, str(cell.link)): cell.compute for cell in scenario(matrix).cells()}

    assert found == {
        (1, "none"): "measured",
        (1, "100mbit"): "measured",
        (2, "none"): "measured",
        (2, "100mbit"): "replayed",
        (3, "none"): "replayed",
        (3, "100mbit"): "replayed",
    }


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("threads: 2\n", "replayed"),
        ("threads: 2\ntiming: end_to_end\n", "measured"),
        ("compute: measured\nthreads: 2\n", "measured"),
        ("compute: replayed\n", "replayed"),
        ("device: cuda\nbackend: nccl\nthreads: 2\n", "measured"),
    ],
)
def test_what_compute_means_for_two_workers_on_two_cores(keys: str, expected: str) -> None:
    assert {expected} == set(computes(keys + BASE))


@pytest.mark.parametrize(("num_gpus", "expected"), [(1, "replayed"), (2, "measured")])
def test_ranks_that_share_a_gpu_replay(monkeypatch: pytest.MonkeyPatch, num_gpus: int, expected: str) -> None:
    monkeypatch.setattr(auto_compute, "num_gpus", lambda: num_gpus)

    assert {expected} == set(computes("device: cuda\n" + LINKED))


def test_auto_on_the_network_of_the_machine_is_measured() -> None:
    assert {"measured"} == set(computes(edited("[2]", "[8]") + "  link: [host]\n"))


def test_a_replayed_cell_differs_in_id_and_keys_but_not_in_its_trajectory() -> None:
    measured, replayed, slower = (
        scenario(keys + LINKED).cells()[0]
        for keys in ("compute: measured\n", "compute: replayed\n", "compute: replayed\ndilation: 4\n")
    )
    defaults = {"compute", "profile", "dilation"}

    assert not defaults & measured.spec().keys()
    assert replayed.spec() == {**measured.spec(), "compute": "replayed"}
    assert slower.spec() == {**replayed.spec(), "dilation": 4}
    for key in ("id", "setting", "contestant"):
        assert len({getattr(cell, key) for cell in (measured, replayed, slower)}) == 3, key
    assert len({cell.trajectory.id for cell in (measured, replayed, slower)}) == 1
    assert Cell.from_spec(slower.spec()) == slower


def test_a_profile_is_read_beside_the_scenario_and_named_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    found = loaded(tmp_path, f"compute: profile.json\n{LINKED}")
    sha256 = hashlib.sha256((tmp_path / "profile.json").read_bytes()).hexdigest()

    assert [("replayed", sha256)] * 2 == [(cell.compute, cell.profile) for cell in found.cells()]
    assert found.stored()["compute"] == f"profiles/{sha256}.json"


def test_a_profile_may_leave_out_what_it_does_not_know(tmp_path: Path) -> None:
    found = loaded(tmp_path, f"compute: ./profile.json\n{LINKED}", task=None, batch_size=None)

    assert {"replayed"} == {cell.compute for cell in found.cells()}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("compute: replay", "/s.yaml:1:10: compute: 'replay' is neither auto, measured, replayed nor a profile's file"),
        ("compute: no.json", "/s.yaml:1:10: compute: no.json: No such file or directory; write a profile with"),
        ("compute: s.yaml", "/s.yaml:1:10: compute: s.yaml:1:1: not JSON from here on"),
        ("compute: 3", "/s.yaml:1:10: compute: 3 is no profile; write its path or name"),
        ("compute: replayed\ntiming: end_to_end", "/s.yaml:1:10: compute: timing: end_to_end times training"),
        ("compute: replayed\ndevice: cuda\nbackend: nccl", "/s.yaml:1:10: compute: nccl moves GPU memory only"),
        ("dilation: 4\ncompute: measured", "/s.yaml:1:11: dilation: with compute: measured, ranks compute at"),
        ("dilation: 4\ntiming: end_to_end", "/s.yaml:1:11: dilation: with timing: end_to_end, ranks compute at"),
        ("dilation: 0", "/s.yaml:1:11: dilation: 0 is no dilation; write auto, or an integer from 1 to 1000"),
        ("dilation: 1001", "/s.yaml:1:11: dilation: 1001 is no dilation"),
        ("dilation: true", "/s.yaml:1:11: dilation: True is no dilation"),
        ("dilation: 2.5", "/s.yaml:1:11: dilation: 2.5 is no dilation"),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(tmp_path: Path, keys: str, message: str) -> None:
    assert refusal(tmp_path, f"{keys}\n{LINKED}").startswith(message)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ("[100mbit, none]", "matrix.link[1]: dilation: 5 needs a link whose rate can be lowered"),
        ("[{rate: 100mbit, loss: 1%}]", "matrix.link[0]: dilation: 5 does not slow down TCP's timers"),
    ],
)
def test_a_dilation_is_refused_for_links_that_it_cannot_slow_down(tmp_path: Path, links: str, message: str) -> None:
    text = f"compute: replayed\ndilation: 5\n{BASE}  link: {links}\n"

    assert message in refusal(tmp_path, text)
    assert {4} == {cell.dilation for cell in loaded(tmp_path, LINKED, "compute=replayed", "dilation=4").cells()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": {"model": "cnn"}}, "is of the model cnn, and the scenario has mlp (width: 256, layers: 2)"),
        ({"task": {"model": {"name": "mlp", "width": 7}}}, "is of the model mlp (width: 7), and"),
        ({"task": {"model": "nothing"}}, "is of the model nothing, and the scenario has mlp"),
        ({"task": {"dataset": {"name": "cifar10"}}}, "is of the dataset cifar10, and the scenario has digits"),
        ({"batch_size": 64}, "is of batch_size: 64, and the scenario has 32"),
        (
            {"origin": "measured", "task": {"optimizer": {"name": "adamw"}}},
            "has times of adamw, and ddp is trained with sgd; measure a profile of this task",
        ),
        ({"precision": "bf16"}, "is of precision: bf16, and the scenario has fp32"),
        (
            {"parameters": [{"name": "w", "shape": [2, 3], "ready_seconds": 0.0}]},
            "has 1 parameters with 6 elements, and mlp has 6 with 85,002 or in other shapes",
        ),
        (
            {"compressors": []},
            "has no times of the compressors sign and identity; measure them with `liecbench profile`",
        ),
    ],
)
def test_a_profile_of_another_task_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    found = refusal(tmp_path, f"compute: profile.json\n{LINKED}", **changes)

    assert found.startswith(f"/s.yaml:1:10: compute: profile.json {message}"), found


def test_hand_written_nonsense_is_refused_with_its_place(tmp_path: Path) -> None:
    late = profiles_of_tasks.profile()["parameters"]
    late[0]["ready_seconds"] = 1.0

    assert (
        "compute: profile.json: parameters.0.ready_seconds: the gradient of 0.weight is ready after 1 s, but"
        in refusal(tmp_path, f"compute: profile.json\n{LINKED}", parameters=late)
    )
    assert "profile.json: forward.median: -1 should be at least 0" in refusal(
        tmp_path, f"compute: profile.json\n{LINKED}", forward={"median": -1}
    )
    assert "profile.json: schema: 2, but this version reads 1" in refusal(
        tmp_path, f"compute: profile.json\n{LINKED}", schema=2
    )


def test_compute_takes_the_name_of_a_bundled_profile_unless_a_file_has_it(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="compute: h100-resnet18 is of the dataset synthetic"):
        loaded(tmp_path, f"compute: h100-resnet18\n{LINKED}")
    (tmp_path / "h100-resnet18").write_bytes((tmp_path / "profile.json").read_bytes())

    compute = loaded(tmp_path, f"compute: h100-resnet18\n{LINKED}").compute

    assert isinstance(compute, ProfileFile)
    assert compute.content == (tmp_path / "profile.json").read_bytes()


def test_an_unknown_name_of_a_profile_has_a_suggestion(tmp_path: Path) -> None:
    found = refusal(tmp_path, f"compute: h100-resnet8\n{LINKED}")

    assert "or name; did you mean h100-resnet18?" in found


def test_a_stored_scenario_says_what_auto_meant_if_it_meant_one_thing() -> None:
    stored = [
        scenario(text).stored()
        for text in (LINKED, BASE, f"dilation: 4\n{BASE}", f"{LINKED}".replace("[100mbit]", "[none, 100mbit]"))
    ]

    assert [(one["compute"], one["dilation"]) for one in stored] == [
        ("replayed", "auto"),
        ("measured", "auto"),
        ("measured", "auto"),
        ("auto", "auto"),
    ]
    for one in stored:
        text = json.dumps(one)
        assert scenario(text).stored() == one


def test_a_run_that_goes_on_keeps_what_auto_meant_when_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{BASE}  link: [100mbit, 1gbit]\n  seed: [0, 1]\n"
    begun = next(cell for cell in scenario(text).cells() if str(cell.link) == "100mbit")
    monkeypatch.setattr(cgroups, "num_cpus", lambda: 16)

    elsewhere = scenario(text)
    resumed = elsewhere.resuming([begun.spec()])

    assert {"measured"} == {cell.compute for cell in elsewhere.cells()}
    assert {(str(cell.link), cell.compute) for cell in resumed.cells()} == {
        ("100mbit", "replayed"),
        ("1gbit", "measured"),
    }
    assert begun.id in {cell.id for cell in resumed.cells()}
    assert {"measured"} == {cell.compute for cell in elsewhere.cells()}


def test_results_of_earlier_versions_stay_measured_when_a_run_goes_on() -> None:
    old = scenario(f"compute: measured\n{LINKED}").cells()

    assert [cell.id for cell in old] == [cell.id for cell in scenario(LINKED).resuming([old[0].spec()]).cells()]


def test_a_comparison_of_code_computes() -> None:
    text = f"compute: replayed\ndilation: 4\n{LINKED}"

    assert [cell.spec() for cell in scenario(text).measured().cells()] == [
        cell.spec() for cell in scenario(f"compute: measured\n{LINKED}").cells()
    ]


def test_the_words_are_those_of_the_schema() -> None:
    properties = Scenario.model_json_schema()["properties"]

    assert properties["compute"]["anyOf"][0] == {"enum": ["auto", "measured", "replayed"]}
    assert compute_choice.MOST_DILATION == 1000
    assert {"minimum": 1, "maximum": 1000, "type": "integer"} in properties["dilation"]["anyOf"]
