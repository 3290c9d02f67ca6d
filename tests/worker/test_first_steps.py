import pytest

from liecbench.results.records import Epoch
from tests.distributed import run_ranks
from tests.worker.small_cells import cell, epochs_of

LIEC = {"name": "liec", "average_period": 4}


def train_all() -> dict[str, list[Epoch]]:
    return {
        # Two steps of 2 × 300 of the 1437 examples: the first steps are the whole first epoch.
        "whole epoch": epochs_of(cell(LIEC, batch_size=300, epochs=2)),
        "liec": epochs_of(cell(LIEC, epochs=1)),
        "ddp": epochs_of(cell({"name": "ddp"}, epochs=1)),
    }


@pytest.fixture(scope="module")
def trained() -> dict[str, list[Epoch]]:
    return dict(run_ranks(train_all, 2)[0])


def test_only_the_first_epoch_has_first_steps(trained: dict[str, list[Epoch]]) -> None:
    first, second = trained["whole epoch"]

    assert (first.first_steps is None, second.first_steps) == (False, None)


def test_the_first_steps_of_a_short_epoch_are_the_epoch(trained: dict[str, list[Epoch]]) -> None:
    epoch = trained["whole epoch"][0]
    first = epoch.first_steps

    assert first is not None
    assert (len(first.train_loss), epoch.steps) == (2, 2)
    assert sum(first.train_loss) / 2 == pytest.approx(epoch.train_loss, rel=1e-12)
    assert (first.compression_error, first.residual_norm) == (epoch.compression_error, epoch.residual_norm)


def test_five_steps_are_recorded(trained: dict[str, list[Epoch]]) -> None:
    first = trained["liec"][0].first_steps

    assert first is not None
    assert len(first.train_loss) == 5
    assert first.train_loss[0] == pytest.approx(2.3, abs=0.3)  # ln 10 before the first update
    assert first.compression_error != trained["liec"][0].compression_error


def test_a_method_that_compresses_nothing_has_only_losses(trained: dict[str, list[Epoch]]) -> None:
    first = trained["ddp"][0].first_steps

    assert first is not None
    assert (first.compression_error, first.residual_norm) == (None, None)
