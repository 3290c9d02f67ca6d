import pytest
import torch

from liecbench.config.cell import Cell
from liecbench.worker.cell_setup import set_up
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
