import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from liecbench.config.loader import load_scenario
from liecbench.config.scenario import Scenario
from tests.scenarios import BUNDLED, DIRECTORY
from tests.tasks.made_archives import in_folder, pixels, tiny_imagenet, unpack

TWINS = sorted((DIRECTORY / "paper").glob("*-small.yaml"))


# The number of cells, and hashes of their ids, contestants, settings and trajectories, before ranks could replay; of
# scenarios that have changed since, as they are now.
KEYS = {
    "bandwidth-sweep.yaml": (30, "2b53eb3e8ef0", "0629f06be118", "8b8746aa9a18", "83cc1e3dfefb"),
    "ci.yaml": (15, "e8bab79ab975", "71ec5cc7502e", "ea9cc126be85", "6a730c4640f0"),
    "compressors.yaml": (57, "0dc61774310a", "90709f29e5d8", "5eacaf5ff8e2", "e5469ad76a7e"),
    "error-feedback-adamw.yaml": (24, "99fcc879a568", "70d689e0bbf0", "337e7694ea0c", "470c54704a26"),
    "gpu.yaml": (18, "cba66d231a78", "8e702dacf75d", "aab5e69ee5be", "b7692dce11bc"),
    "heterogeneous.yaml": (54, "231f5b49cf6f", "6f216ed425cd", "acc88c077a42", "396382fe9655"),
    "language-model-tuning.yaml": (44, "e768848dde33", "f95ab00aa38a", "a346d839b2fd", "47d4f38004dd"),
    "language-model.yaml": (54, "fb5514d15d17", "2cf2166b380a", "ba665f4327f5", "416f23cd7657"),
    "paper/cifar-100.yaml": (21, "15e1596d41fb", "8917b45e78fd", "ed8bfbfe7125", "e58bc4344ed2"),
    "paper/figure-2-small.yaml": (70, "9b305a7a9e2f", "175f4245b2dc", "3e45639e1a20", "f424531a2832"),
    "paper/figure-2.yaml": (21, "a938cb6bbaa7", "1e9286496a61", "5919736817f1", "6f6d7e15610f"),
    "paper/figure-3-small.yaml": (70, "91ece30b5bf3", "e02e0d9f426e", "3e45639e1a20", "b661a55b7037"),
    "paper/figure-3.yaml": (21, "079f4221843f", "e0c61b611ed8", "5919736817f1", "3451783a8701"),
    "paper/figure-4-small.yaml": (30, "ef1feba72e32", "21f2cc6a371b", "07a8f9d02324", "5231d1dd7a7f"),
    "paper/figure-4.yaml": (9, "3a907ef262bf", "da69d7987fb0", "99de9c7b721a", "dc6a76dc9c5f"),
    "paper/figure-5-small.yaml": (28, "a3d36d7c7411", "1db999000837", "48f390338899", "e58cd215f6c8"),
    "paper/figure-5.yaml": (28, "3f8d5abf784b", "781f314d03d6", "b8f12755b9d9", "f846b4398f96"),
    "paper/speed-up-small.yaml": (5, "57fe68378762", "b67d04ad72a4", "d55defff4ab5", "bfeda4997146"),
    "paper/tiny-imagenet.yaml": (21, "05024e5bbee2", "29596d87bce0", "791c4549dcc1", "1e3bf9c1fdbb"),
    "quickstart.yaml": (50, "0a1843969470", "d1b5b7171b2f", "3274d2178a4e", "8bfb5a2ccecd"),
    "transformer.yaml": (9, "b8b06841d46f", "e1212280d1f7", "f11e13ce9fe3", "77aa18fef315"),
    "wan.yaml": (24, "c43e06c51565", "9166a16e789a", "309f40df0c07", "374a4d377a6b"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with enough of each archive's images, unpacked, for a step of eight workers."""
    directory = tmp_path_factory.mktemp("data")
    names = [f"data_batch_{number}" for number in range(1, 6)]
    files = {}
    for seed, name in enumerate([*names, "test_batch"]):
        labels = np.random.default_rng(seed).integers(10, size=(210, 1), dtype=np.uint8)
        files[f"cifar-10-batches-bin/{name}.bin"] = np.hstack([labels, pixels(seed, 210)]).tobytes()
    for name in ("train", "test"):
        labels = np.random.default_rng(7).integers(20, size=(1050, 2), dtype=np.uint8)
        files[f"cifar-100-binary/{name}.bin"] = np.hstack([labels, pixels(7, 1050)]).tobytes()
    files |= in_folder("tiny-imagenet-200", tiny_imagenet(images_per_class=6))
    unpack(directory, files)
    return directory


@pytest.fixture
def with_data(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIECBENCH_DATA", str(data))


@pytest.mark.usefixtures("with_data")
@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_it_has_cells_and_a_name_of_its_own(path: Path) -> None:
    scenario = load_scenario(path)

    assert (path.stem, True) == (scenario.name, len(scenario.cells()) > 0)


def test_cells_that_compute_keep_the_keys_that_they_had_before_ranks_could_replay() -> None:
    found = {}
    for path in BUNDLED:
        scenario = load_scenario(path, chosen=lambda _: [])
        if not scenario.is_trained:
            continue
        cells = scenario.measured().cells()
        keys = ([getattr(cell, name) for cell in cells] for name in ("id", "contestant", "setting"))
        hashes = [_hash(key) for key in (*keys, [cell.trajectory.id for cell in cells])]
        found[str(path.relative_to(DIRECTORY))] = (len(cells), *hashes)

    assert found == KEYS


def _hash(keys: list[str]) -> str:
    return hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:12]


@pytest.mark.parametrize("path", sorted(DIRECTORY.rglob("*.yaml")), ids=lambda path: path.stem)
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
