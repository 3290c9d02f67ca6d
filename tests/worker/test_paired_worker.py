import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from liecbench.check.paired.side import LostError, ResidentSide, Side
from liecbench.launch.events import BurstResult
from tests.check.paired.paired_cells import PERIOD
from tests.check.paired.paired_cells import paired_cell as cell

STEPS = 2 * PERIOD


@pytest.fixture(scope="module")
def resident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResidentSide]:
    side = Side(name="A", label="here", python=sys.executable)
    with ResidentSide(side, [cell("liec")], tmp_path_factory.mktemp("resident"), lambda: 100.0, print) as resident:
        resident.start()
        resident.wait()
        yield resident


def bursts(resident: ResidentSide, num_bursts: int) -> list[BurstResult]:
    resident.open(cell("liec"))
    answers = [resident.burst(number * (STEPS + 1), STEPS) for number in range(num_bursts)]
    resident.close_cell()
    return answers


def test_an_opened_cell_answers_its_averaging_period_and_environment(resident: ResidentSide) -> None:
    opened = resident.open(cell("liec"))
    resident.close_cell()

    assert opened.average_period == PERIOD
    assert {"cpu", "torch", "threads", "gpu", "link"} <= opened.environment.keys()


def test_a_burst_holds_whole_periods(resident: ResidentSide) -> None:
    # The untimed step shifts each burst by one; whole periods have the same number of averaging steps at any place.
    kinds = [answer.kind_steps for answer in bursts(resident, 3)]

    assert kinds == [{"compressed": STEPS - 2, "averaging": 2}] * 3


def test_a_burst_continues_where_the_one_before_ended(resident: ResidentSide) -> None:
    first, second = bursts(resident, 2)

    assert second.train_loss < first.train_loss


def test_the_same_bursts_have_the_same_losses_and_bytes(resident: ResidentSide) -> None:
    first, second = bursts(resident, 2), bursts(resident, 2)

    assert [answer.train_loss for answer in first] == [answer.train_loss for answer in second]
    assert [answer.sent_bytes for answer in first] == [answer.sent_bytes for answer in second]


def test_the_slowest_rank_of_each_step_adds_up_to_no_less_than_the_slowest_rank(resident: ResidentSide) -> None:
    (answer,) = bursts(resident, 1)

    assert sum(answer.kind_seconds.values()) >= answer.seconds * (1 - 1e-9)


def test_bursts_cross_epochs(resident: ResidentSide) -> None:
    resident.open(cell("liec"))
    steps_per_epoch = 1437 // 64
    answer = resident.burst(steps_per_epoch - 2, 3 * steps_per_epoch)
    resident.close_cell()

    assert sum(answer.kind_steps.values()) == 3 * steps_per_epoch


def test_bursts_begin_with_the_commonest_kind_of_step(resident: ResidentSide) -> None:
    fields = cell().spec()
    powersgd = cell(algorithm={"name": "powersgd", "start_powersgd_iter": 5}, task={**fields["task"], "epochs": 1})
    first = resident.open(powersgd).first
    kinds = resident.burst(first, STEPS).kind_steps
    resident.close_cell()

    assert (first, kinds) == (5, {"compressed": STEPS})


def test_steps_of_one_kind_are_slowed_down(resident: ResidentSide) -> None:
    resident.open(cell("liec"))
    answer = resident.burst(0, STEPS, {"averaging": 0.2})
    resident.close_cell()
    one = {kind: seconds / answer.kind_steps[kind] for kind, seconds in answer.kind_seconds.items()}

    # A rank that waits for the slowed one adds to its next step at most.
    assert one["averaging"] > 0.2
    assert one["compressed"] < 0.15


def test_ranks_go_on_after_a_cell_that_diverges(resident: ResidentSide) -> None:
    diverging = cell(task={**cell().spec()["task"], "learning_rate": 1e38})
    resident.open(diverging)
    with pytest.raises(LostError, match="not finite"):
        resident.burst(0, STEPS)

    assert bursts(resident, 1)


def test_the_plan_holds_no_environment_variable(tmp_path: Path) -> None:
    side = Side(name="B", label="here", python=sys.executable, variables={"SECRET": "hidden"})
    with ResidentSide(side, [cell()], tmp_path, lambda: 100.0, print):
        written = "".join(path.read_text() for path in tmp_path.iterdir() if path.suffix == ".json")

    assert "SECRET" not in written
    assert "hidden" not in written


def test_the_entry_module_imports_no_torch() -> None:
    entry = "liecbench.worker.paired_worker"
    code = f"import json, sys; import {entry}; print(json.dumps([n for n in sys.modules if n == 'torch']))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": ""}
    )

    assert json.loads(done.stdout) == []
