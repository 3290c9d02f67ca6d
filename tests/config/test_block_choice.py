import pytest

from liecbench.config import registry
from liecbench.config.block_choice import BlockChoice
from liecbench.config.choice import Choice
from tests.scenarios import BASE, scenario

SIGN, BLOCK_SIGN = (Choice.model_validate(name) for name in ("sign", "block_sign"))
# Algorithm, compressor, and the size of its blocks if none is given: ddp has DDP's own buckets.
USUAL = [
    ("liec", BLOCK_SIGN, 5 * 2**20),
    ("liec", SIGN, 25 * 2**20),
    ("psgd", None, 25 * 2**20),
    ("ddp", None, None),
]


@pytest.mark.parametrize(("algorithm", "compressor", "size"), USUAL)
def test_blocks_have_the_size_that_is_given_or_suits(algorithm: str, compressor: Choice | None, size: int) -> None:
    cls = registry.load("algorithm", algorithm)

    assert BlockChoice().fields(cls, compressor) == {"block_bytes": size, "block_order": "backward"}
    assert BlockChoice(block_bytes=1000).fields(cls, compressor)["block_bytes"] == 1000
    assert BlockChoice(block_bytes="whole").fields(cls, compressor)["block_bytes"] == "whole"


def test_only_algorithms_with_blocks_have_an_order_of_them() -> None:
    forward = BlockChoice(block_order="forward")

    assert forward.fields(registry.load("algorithm", "liec"), SIGN)["block_order"] == "forward"
    assert forward.fields(registry.load("algorithm", "ddp"), None)["block_order"] == "backward"


def test_cells_have_the_order_of_their_scenario_if_they_have_blocks() -> None:
    cells = scenario(BASE + "block_bytes: 1MB\nblock_order: forward\n").cells()

    assert [(cell.block_bytes, cell.block_order) for cell in cells] == [(10**6, "backward"), (10**6, "forward")]
