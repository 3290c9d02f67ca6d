"""Blocks that are filled from the first parameter, and P-SGD with a block per parameter, as the paper's authors ran."""

import numpy as np
import pytest
import torch

from liecbench.algorithms import LIEC, PSGD
from liecbench.algorithms.comm.schedule import Schedule
from liecbench.compressors import Sign
from liecbench.config import registry
from tests.algorithms.test_trajectories import Combination, simulated, trained
from tests.distributed import run_ranks

NUM_WORKERS = 2
# Of tensors of 63, 9, 54, 6, 24 and 4 elements, at most 75 in a block: 63 + 9, 54 + 6, 24 + 4. Filled from the last
# tensor, the blocks would be 4 + 24 + 6, 54 + 9 and 63.
FORWARD = [[5, 4], [3, 2], [1, 0]]
BLOCK_BYTES = 300
COMBINATIONS: list[Combination] = [
    ("liec", "sign", BLOCK_BYTES, "root"),
    ("doublesqueeze", "top_k", BLOCK_BYTES, "sharded"),
]


def finals() -> list[torch.Tensor]:
    return [
        *(trained(combination, block_order="forward") for combination in COMBINATIONS),
        trained(("psgd", "identity", "whole", "root"), per_tensor=True),
        trained(("psgd", "identity", "whole", "root")),
    ]


@pytest.fixture(scope="module")
def trajectories() -> list[list[torch.Tensor]]:
    return run_ranks(finals, NUM_WORKERS)


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda combination: combination[0])
def test_training_follows_the_equations_on_these_blocks(
    combination: Combination, trajectories: list[list[torch.Tensor]]
) -> None:
    expected = np.mean(simulated(combination, NUM_WORKERS, FORWARD), axis=0)
    index = COMBINATIONS.index(combination)
    actual = torch.stack([rank[index] for rank in trajectories]).double().mean(dim=0).numpy()

    assert np.linalg.norm(actual - expected) / np.linalg.norm(expected) < 1e-5


def test_a_message_per_tensor_changes_no_number(trajectories: list[list[torch.Tensor]]) -> None:
    per_tensor, whole = trajectories[0][-2:]

    assert torch.equal(per_tensor, whole)


def schedule_of(model: str, algorithm: LIEC | PSGD) -> Schedule:
    with torch.device("meta"):
        network = registry.load("model", model)().build(input_shape=(3, 32, 32), num_classes=10)
    return algorithm.schedule([parameter.shape for parameter in network.parameters()], world_size=8, step=0)


@pytest.mark.parametrize(("model", "num_blocks"), [("resnet18", 10), ("resnet34", 18)])
def test_the_papers_networks_have_as_many_blocks_as_in_the_authors_runs(model: str, num_blocks: int) -> None:
    backward, forward = (
        schedule_of(model, LIEC(compressor=Sign(), server="root", block_bytes=5 * 2**20, block_order=order)).blocks
        for order in ("backward", "forward")
    )

    assert (len(backward), len(forward)) == (num_blocks, num_blocks)
    assert backward != forward


def test_psgd_per_tensor_sends_the_54_tensors_of_resnet18_after_the_backward_pass() -> None:
    algorithm = PSGD(server="root", per_tensor=True)
    schedule = schedule_of("resnet18", algorithm)
    whole = schedule_of("resnet18", PSGD(server="root"))

    assert [len(block) for block in schedule.blocks] == [1] * 54
    assert algorithm.bucket_bytes == "whole"
    assert schedule.payload_bytes() == whole.payload_bytes()
    assert schedule.payload_bytes()[1] == (4 * 11_171_146, 4 * 11_171_146)
