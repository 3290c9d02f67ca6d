from typing import Any

import pytest
import torch
import torch.distributed as dist

from liecbench.worker.cell_setup import set_up
from liecbench.worker.evaluation import evaluate_mean_model
from liecbench.worker.trainer import Trainer
from tests.distributed import run_ranks
from tests.worker.small_cells import IMAGES, NoLink, cell

IID = {**IMAGES, "partition": "iid", "epochs": 1}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one model, iid": ({"name": "psgd"}, IID),
    "one model, other data": ({"name": "psgd"}, {**IMAGES, "epochs": 1}),
    "local models, iid": ({"name": "liec", "average_period": 4}, IID),
}
Trained = tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], tuple[float, float], tuple[float, float]]


def train(case: str) -> Trained:
    """Return this rank's buffers after an epoch and after its evaluation, and evaluations with shared and mean ones."""
    algorithm, task = CASES[case]
    replica = set_up(cell(algorithm, **task), NoLink())
    Trainer(replica).epoch(0, attempt=1)
    own = {name: buffer.clone() for name, buffer in replica.model.named_buffers()}
    with replica.algorithm.evaluation():
        evaluated = evaluate_mean_model(replica)
        after = {name: buffer.clone() for name, buffer in replica.model.named_buffers()}
        ranks = [own] * dist.get_world_size()
        dist.all_gather_object(ranks, own)
        for name, buffer in replica.model.named_buffers():
            buffer.copy_(torch.stack([rank[name].double() for rank in ranks]).mean(dim=0))
        with_mean = evaluate_mean_model(replica)
    replica.close()
    return own, after, evaluated, with_mean


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Trained]]:
    return run_ranks(train_all, 2)


def train_all() -> dict[str, Trained]:
    return {case: train(case) for case in CASES}


def test_ranks_with_the_same_model_and_iid_data_share_rank_0s_buffers(ranks: list[dict[str, Trained]]) -> None:
    (first, *_), (second, *_) = (rank["one model, iid"] for rank in ranks)

    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("case", ["one model, other data", "local models, iid"])
def test_ranks_with_other_data_or_local_models_keep_their_own_buffers(
    ranks: list[dict[str, Trained]], case: str
) -> None:
    (first, after, *_), (second, *_) = (rank[case] for rank in ranks)

    assert not torch.equal(first["1.running_mean"], second["1.running_mean"])
    assert all(torch.equal(first[name], after[name]) for name in first)


@pytest.mark.parametrize("case", ["one model, other data", "local models, iid"])
def test_evaluation_uses_the_mean_of_the_buffers(ranks: list[dict[str, Trained]], case: str) -> None:
    for _, _, evaluated, with_mean in (rank[case] for rank in ranks):
        assert evaluated == pytest.approx(with_mean, rel=1e-5)
