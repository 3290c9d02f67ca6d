"""The step of LIEC that ``docs/methods.md`` computes entry by entry, made by two ranks."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import LIEC
from liecbench.compressors import Sign
from tests.distributed import run_ranks

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"


def rows() -> dict[str, list[list[float]]]:
    """Return the numbers of the page's example: for each row, those of both shards."""
    section = PAGE.read_text(encoding="utf-8").split("## One step, entry by entry")[1].split("## Bits")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {name.split(" = ")[0]: [numbers(cell) for cell in cells] for name, *cells in lines if name[0] in "gCvqeu"}


def numbers(cell: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in cell.split(", ")]


def joined(shards: list[list[float]]) -> list[float]:
    return [number for shard in shards for number in shard]


class Given(nn.Module):
    """A model whose gradients are given."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Parameter(torch.zeros(6)) for _ in range(2))

    def forward(self, gradient: Tensor) -> Tensor:
        loss: Tensor = torch.cat([self.second, self.first]) @ gradient
        return loss


def observe(order: Any) -> dict[str, list[float]]:
    model, rank = Given(), dist.get_rank()
    ddp, algorithm = DistributedDataParallel(model), LIEC(compressor=Sign(), block_order=order)
    algorithm.attach(ddp, torch.optim.SGD(model.parameters(), lr=1.0))
    ddp(torch.tensor(joined(rows()[f"g_{rank}"]))).backward()
    (error,) = algorithm.memories()["server_error"]
    assert model.first.grad is not None
    assert model.second.grad is not None
    return {"u": torch.cat([model.second.grad, model.first.grad]).tolist(), "e": error.tolist()}


@pytest.mark.parametrize("order", ["backward", "forward"])
def test_two_ranks_make_the_step_that_the_page_computes(order: str) -> None:
    table = rows()

    found = run_ranks(observe, 2, order)

    assert len(table) == 9
    for rank in range(2):
        assert found[rank] == {"u": joined(table[f"u_{rank}"]), "e": table["e"][rank]}


def test_the_intermediate_numbers_of_the_page_follow_from_its_gradients() -> None:
    table = rows()
    for shard in range(2):
        sent = [table[f"C(g_{rank})"][shard] for rank in range(2)]
        for rank in range(2):
            gradient = table[f"g_{rank}"][shard]
            scale = sum(map(abs, gradient)) / len(gradient)
            assert sent[rank] == [scale if value >= 0 else -scale for value in gradient]
        assert table["v"][shard] == [sum(values) / 2 for values in zip(*sent, strict=True)]
        scale = sum(map(abs, table["v"][shard])) / len(table["v"][shard])
        assert table["q"][shard] == [scale if value >= 0 else -scale for value in table["v"][shard]]
