import pytest

from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError
from liecbench.prediction.measured_methods import measured_cells
from liecbench.prediction.named_methods import named_methods
from liecbench.prediction.prediction_inputs import method_of, trained_as
from tests.scenarios import edited, scenario

ADAMW = "  learning_rate: 0.1\n  optimizer: adamw\n  clip_grad_norm: 1.0\n  accumulate: 2"


def cells(task: str = "  learning_rate: 0.1") -> list[Cell]:
    return scenario(edited("  learning_rate: 0.1", task)).cells()


def test_a_method_of_the_scenario_is_measured_in_its_first_cell() -> None:
    own = cells()
    wanted = [method_of(cell) for cell in own[::-1]]

    assert {id(cell) for cell in measured_cells(wanted, own)} <= {id(cell) for cell in own}


def test_another_method_is_measured_with_the_optimizer_of_the_scenario() -> None:
    own = cells(ADAMW)
    methods = trained_as(own, named_methods(["powersgd", "memsgd"], ["top_k"], "root"))

    found = measured_cells(methods, own)

    assert [(cell.algorithm.name, cell.compressor and cell.compressor.name, cell.server) for cell in found] == [
        ("powersgd", None, None),
        ("memsgd", "top_k", "root"),
    ]
    tasks = [(cell.task.optimizer.name, cell.task.clip_grad_norm, cell.task.accumulate) for cell in found]
    assert tasks == [("adamw", 1.0, 2)] * 2


@pytest.mark.parametrize("method", ["dgc", "neolithic:accumulate=true"])
def test_a_method_that_does_not_suit_the_optimizer_is_measured_with_plain_sgd(method: str) -> None:
    own = cells(ADAMW)

    (cell,) = measured_cells(trained_as(own, named_methods([method], ["sign"], "sharded")), own)

    task = cell.task
    assert (task.optimizer.name, task.momentum, task.clip_grad_norm, task.accumulate) == ("sgd", 0.0, None, 1)


def test_a_method_that_needs_a_longer_training_is_refused() -> None:
    methods = named_methods(["onebit_adam:freeze_step=100000"], ["sign"], "sharded")

    with pytest.raises(LiecbenchError, match=r"onebit_adam: the run has .* steps.*or give --profile FILE"):
        measured_cells(methods, cells())
