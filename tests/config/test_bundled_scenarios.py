"""The names of bundled scenarios; ``tests/test_bundled_scenarios.py`` tests the scenarios themselves."""

import shutil
from pathlib import Path

import pytest

from liecbench.config.bundled_scenarios import profile_path, question, scenario_names, scenario_path
from liecbench.errors import LiecbenchError, ScenarioError

DIRECTORY = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_name_is_that_of_a_bundled_scenario_anywhere() -> None:
    assert scenario_path("quickstart") == DIRECTORY / "quickstart.yaml"
    assert scenario_path("paper/figure-2-small") == DIRECTORY / "paper" / "figure-2-small.yaml"
    assert profile_path("h100-resnet18") == DIRECTORY / "profiles" / "h100-resnet18.json"


def test_every_bundled_scenario_has_a_name_and_a_question() -> None:
    files = {path.relative_to(DIRECTORY).with_suffix("").as_posix() for path in DIRECTORY.rglob("*.yaml")}

    assert files == set(scenario_names())
    assert [name for name in files if not question(name)] == []
    assert question("bandwidth-sweep") == "up to which bandwidth does compression pay?"


@pytest.mark.parametrize("given", ["quickstart.yaml", "./quickstart", "/nowhere/quickstart", "results/x.yaml"])
def test_a_path_stays_a_path(given: str) -> None:
    assert scenario_path(given) == Path(given)


def test_a_directory_of_the_same_name_does_not() -> None:
    Path("ci").mkdir()

    assert scenario_path("ci") == DIRECTORY / "ci.yaml"


def test_a_file_of_the_same_name_wins() -> None:
    Path("quickstart").write_text("name: mine\n")

    assert scenario_path("quickstart") == Path("quickstart")


def test_a_yaml_file_of_the_same_name_is_ambiguous() -> None:
    Path("quickstart.yaml").write_text("name: mine\n")

    with pytest.raises(ScenarioError, match=r"either the bundled scenario or the file quickstart.yaml can be meant"):
        scenario_path("quickstart")
    assert scenario_path("./quickstart.yaml") == Path("quickstart.yaml")


def test_a_copy_of_the_bundled_scenario_is_not_ambiguous() -> None:
    shutil.copy(DIRECTORY / "quickstart.yaml", "quickstart.yaml")

    assert scenario_path("quickstart") == DIRECTORY / "quickstart.yaml"


def test_the_name_of_a_profile_and_a_file_of_another_directory(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "h100-resnet18.json").write_text("{}")

    assert profile_path("resnet18", base=tmp_path / "own") == DIRECTORY / "profiles" / "resnet18.json"
    assert profile_path("p.json", base=tmp_path / "own") == tmp_path / "own" / "p.json"
    with pytest.raises(LiecbenchError, match=r"either the bundled profile or the file h100-resnet18.json can be meant"):
        profile_path("h100-resnet18", base=tmp_path / "own")


def test_an_unknown_name_has_a_suggestion() -> None:
    with pytest.raises(ScenarioError, match="did you mean quickstart"):
        scenario_path("quickstrat")
    with pytest.raises(LiecbenchError, match="did you mean resnet18"):
        profile_path("resnet81")
