from unittest.mock import patch

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from liecbench.config.cell import Cell
from liecbench.worker import evaluation
from liecbench.worker.cell_setup import set_up
from liecbench.worker.evaluation import divergence
from liecbench.worker.trainer import Trainer
from tests.distributed import run_ranks
from tests.worker.small_cells import NoLink, cell


def record_and_compute_compression_error() -> tuple[float, float]:
    """Return the recorded error, and 1 − ‖g‖₁² / (n ‖g‖²) for this rank's gradient g after the epoch."""
    spec = cell({"name": "liec", "average_period": 4}).spec()
    replica = set_up(Cell.from_spec({**spec, "server": "root", "block_bytes": "whole"}), NoLink())
    record = Trainer(replica).epoch(0, attempt=1)
    batch = replica.batches.of_epoch(0)[0]
    replica.model.zero_grad()
    train = replica.task.train
    logits = replica.model(train.inputs[batch])
    torch.nn.functional.cross_entropy(logits, train.labels[batch]).backward()
    parts = [parameter.grad.view(-1) for parameter in replica.model.parameters() if parameter.grad is not None]
    gradient = torch.cat(parts).double()
    replica.close()
    recorded = -1.0 if record is None or record.compression_error is None else record.compression_error
    return recorded, 1 - float(gradient.abs().sum() ** 2 / (len(gradient) * gradient.square().sum()))


def test_the_compression_error_is_that_of_the_workers_gradients() -> None:
    (recorded, first), (_, second) = run_ranks(record_and_compute_compression_error, 2)

    assert recorded == pytest.approx((first + second) / 2, rel=1e-4)


class Late(nn.Linear):
    """Changes its bias from the second step on, which the two passes before the training do not show."""

    passes = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.passes += self.training
        if self.passes > 2:
            with torch.no_grad():
                self.bias.mul_(0.5)
        return super().forward(inputs.flatten(1))


def late() -> nn.Module:
    return Late(64, 10)


def train_late() -> str:
    replica = set_up(cell({"name": "memsgd"}, model="tests.worker.test_evaluation:late"), NoLink())
    with pytest.raises(RuntimeError) as raised:
        Trainer(replica).epoch(0, attempt=1)
    replica.close()
    return str(raised.value)


def test_a_model_that_begins_late_to_change_a_parameter_itself_is_refused_by_name() -> None:
    message = (
        "the model changed its parameter bias in a forward pass, but not in its first two; "
        "the pass that measures the compression error cannot undo this: change it from the first pass on"
    )

    assert run_ranks(train_late, 2) == [message, message]


def distances() -> tuple[list[float], float]:
    """Return the divergence in pieces of 7 elements and in one piece, and this rank's own ‖x_i − x̄‖/‖x̄‖."""
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 5, bias=False), nn.Linear(0, 2)).double()
    torch.manual_seed(dist.get_rank())
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    seen = [divergence(model)]
    with patch.object(evaluation, "_PIECE", 7):
        seen.append(divergence(model))
    own = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    mean = own.clone()
    dist.all_reduce(mean)
    mean /= 2
    return seen, float((own - mean).norm() / mean.norm())


def test_the_divergence_is_that_of_the_farthest_rank_in_pieces_too() -> None:
    ranks = run_ranks(distances, 2)
    expected = max(own for _, own in ranks)

    for seen, _ in ranks:
        assert seen == pytest.approx([expected] * 2, rel=1e-14)
