"""The Python blocks run: those that attach a method on two ranks, and those that load results on the shared run's."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from liecbench.algorithms.ddp_hook import attached_listener
from tests.distributed import run_ranks
from tests.documents.pages import Block, blocks
from tests.finished_run import FinishedRun

UNMARKED = [block for block in blocks("python") if not block.marked]
READING = [block for block in UNMARKED if "load_results" in block.text]
ATTACHING = [block for block in UNMARKED if block not in READING]


def executed(text: str) -> tuple[bool, list[int], list[torch.Tensor]]:
    """Execute a block among the names that it takes from its reader's script.

    Returns:
        Whether a method is still attached, the number of evaluations, and the model's parameters.
    """
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    evaluated: list[int] = []
    names: dict[str, Any] = {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "batches": [(torch.randn(4, 8), torch.randint(4, (4,))) for _ in range(3)],
        "cross_entropy": cross_entropy,
        "evaluate": lambda given: evaluated.append(len(list(given.parameters()))),
    }
    exec(compile(text, "block", "exec"), names)
    return (
        attached_listener(names["ddp"]) is not None,
        evaluated,
        [parameter.detach() for parameter in model.parameters()],
    )


@pytest.mark.parametrize("block", ATTACHING, ids=str)
def test_a_block_attaches_a_method(block: Block) -> None:
    first, second = run_ranks(executed, 2, block.text)

    assert first[:2] == second[:2] == ("detach()" not in block.text, [4])
    assert all(torch.equal(one, other) for one, other in zip(first[2], second[2], strict=True))


@pytest.mark.parametrize("block", READING, ids=str)
def test_a_block_reads_results(
    block: Block, finished_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "pandas" in block.text and find_spec("pandas") is None:
        pytest.skip("pandas is missing: pip install '.[pandas]'")
    for directory in set(re.findall(r"results/\w+", block.text)):
        (tmp_path / "results").mkdir(exist_ok=True)
        (tmp_path / directory).symlink_to(finished_run.directory)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), names)

    assert [row["algorithm"] for row in names["results"].rows]
