"""``liecbench run`` trains a model of one's own as a plain script with DistributedDataParallel does, to the bit.

``python -m tests.test_plain_scripts`` prints the table of all kinds of models.
"""

import functools
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import torch

from tests.cli.in_process import run_in_process
from tests.distributed import run_ranks
from tests.own_models import OWN_MODELS
from tests.recorded_models import Numbers, recorded_file
from tests.worker.test_own_models import BATCH, EPOCHS, RATE, train_plainly

# The uncounted pass of the script with four ranks leaves traces in other models.
ON_FOUR: Final = ("dropout", "lazy", "strided", "extra", "empty", "half", "penalised", "differentiable")
# torch warns of the model with a layer without parameters.
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning")]
Differing = dict[tuple[str, str], list[str]]


def run(directory: Path, kind: str, workers: int, expected_exit: int = 0) -> None:
    dataset: dict[str, Any] = {"name": "tests.own_models:dataset", "kind": kind}
    recorded = {"name": "tests.recorded_models:model", "kind": kind, "directory": str(directory)}
    task = {"dataset": dataset, "model": recorded, "batch_size": BATCH, "epochs": EPOCHS}
    scenario = {
        "name": "own",
        "task": {**task, "learning_rate": RATE, "momentum": 0.9},
        "matrix": {"algorithm": ["ddp"], "workers": [workers], "link": ["none"]},
    }
    file = directory / kind / f"{workers}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(scenario))
    done = run_in_process("run", file, "--out", directory / kind / f"results-{workers}", "--quiet")
    assert done.returncode == expected_exit, done.stderr


def differing(directory: Path, kind: str, workers: int, plain: Sequence[dict[str, Numbers]]) -> list[str]:
    """Return the names of what differs on any rank, without the buffers that evaluation takes from rank 0."""
    names = []
    for rank in range(workers):
        expected = plain[rank][kind]
        found = torch.load(recorded_file(directory / kind, workers, rank), weights_only=True)
        assert found.keys() == expected.keys()
        compared = [name for name in expected if rank == 0 or not name.startswith("buffer ")]
        names += [f"{name} on rank {rank}" for name in compared if not torch.equal(found[name], expected[name])]
    return names


def train_all_plainly(kinds: Sequence[str], *, warm_up: bool) -> dict[str, Numbers]:
    return {kind: train_plainly(kind, warm_up=warm_up) for kind in kinds}


def compare_all(directory: Path) -> Differing:
    """Return what differs for each kind of model and way to train it."""
    kinds = tuple(OWN_MODELS)
    two = run_ranks(functools.partial(train_all_plainly, kinds, warm_up=False), 2)
    four = run_ranks(functools.partial(train_all_plainly, ON_FOUR, warm_up=True), 4)
    found: Differing = {}
    for kind in kinds:
        run(directory, kind, 2)
        found[kind, "2 ranks"] = differing(directory, kind, 2, two)
        if kind in ON_FOUR:
            run(directory, kind, 4)
            found[kind, "4 ranks"] = differing(directory, kind, 4, four)
    resumed = directory / "resumed"
    resumed.mkdir()
    for kind in kinds:
        (resumed / kind).mkdir()
        (resumed / kind / "stop").touch()
        run(resumed, kind, 2, expected_exit=5)
        run(resumed, kind, 2)
        found[kind, "2 ranks, resumed"] = differing(resumed, kind, 2, two)
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Differing:
    return compare_all(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("way", ["2 ranks", "2 ranks, resumed"])
@pytest.mark.parametrize("kind", OWN_MODELS)
def test_two_ranks_train_as_a_plain_script(found: Differing, kind: str, way: str) -> None:
    assert found[kind, way] == []


@pytest.mark.parametrize("kind", ON_FOUR)
def test_four_ranks_train_as_a_script_that_makes_the_same_uncounted_pass(found: Differing, kind: str) -> None:
    assert found[kind, "4 ranks"] == []


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as directory:
        compared = compare_all(Path(directory))
    ways = ("2 ranks", "2 ranks, resumed", "4 ranks")
    print("| kind |", " | ".join(ways), "|\n|---|" + "---|" * len(ways))
    for kind in OWN_MODELS:
        cells = [compared.get((kind, way)) for way in ways]
        print("|", kind, "|", " | ".join("–" if cell is None else ", ".join(cell) or "equal" for cell in cells), "|")


if __name__ == "__main__":
    main()
