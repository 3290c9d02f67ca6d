"""The Python blocks run on two ranks, with a model and data around them."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from liecbench.algorithms.ddp_hook import attached_listener
from tests.distributed import run_ranks
from tests.documents.pages import Block, blocks

UNMARKED = [block for block in blocks("python") if not block.marked]


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


@pytest.mark.parametrize("block", UNMARKED, ids=str)
def test_a_python_block_runs(block: Block) -> None:
    first, second = run_ranks(executed, 2, block.text)

    assert first[:2] == second[:2] == ("detach()" not in block.text, [4])
    assert all(torch.equal(one, other) for one, other in zip(first[2], second[2], strict=True))
