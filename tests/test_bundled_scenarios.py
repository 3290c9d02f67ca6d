from pathlib import Path

import numpy as np
import pytest

from liecbench.config.loader import load_scenario
from liecbench.config.scenario import Scenario
from tests.tasks.made_archives import pixels, unpack

DIRECTORY = Path(__file__).parents[1] / "scenarios"
SCENARIOS = sorted(DIRECTORY.rglob("*.yaml"))
TWINS = sorted((DIRECTORY / "paper").glob("*-small.yaml"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with enough of CIFAR-10, in its binary form, for a step of eight workers."""
    directory = tmp_path_factory.mktemp("data")
    names = [f"data_batch_{number}" for number in range(1, 6)]
    files = {}
    for seed, name in enumerate([*names, "test_batch"]):
        labels = np.random.default_rng(seed).integers(10, size=(210, 1), dtype=np.uint8)
        files[f"cifar-10-batches-bin/{name}.bin"] = np.hstack([labels, pixels(seed, 210)]).tobytes()
    unpack(directory, files)
    return directory


@pytest.fixture
def with_data(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIECBENCH_DATA", str(data))


@pytest.mark.usefixtures("with_data")
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_it_has_cells_and_a_name_of_its_own(path: Path) -> None:
    scenario = load_scenario(path)

    assert (path.stem, True) == (scenario.name, len(scenario.cells()) > 0)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_it_starts_with_question_cost_and_how_to_read_the_answer(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    starts = [line.partition(":")[0] for line in text.splitlines() if line.startswith("# ")]

    assert [line for line in starts if line[2] != " "][:3] == ["# Question", "# Cost", "# Reading the answer"]
    assert "COST" not in text


def compared(scenario: Scenario) -> set[str]:
    """Methods, compressors and numbers of workers."""
    return {
        f"{cell.algorithm.model_dump_json()} {cell.compressor and cell.compressor.name} {cell.workers} {cell.server}"
        for cell in scenario.cells()
    }


@pytest.mark.usefixtures("with_data")
@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_a_small_twin_has_the_matrix_of_the_figure(path: Path) -> None:
    small = load_scenario(path)
    figure = load_scenario(path.with_name(path.name.replace("-small", "")))

    assert compared(figure) == compared(small)
