"""The plain model on which a session measures computing: how long its steps take, and what they do."""

import time
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from liecbench.config.cell import Cell
from liecbench.worker.cell_setup import set_up
from liecbench.worker.compute_alone import ComputeAlone, of_each_work, work_key
from tests.distributed import run_ranks
from tests.worker.small_cells import NoLink, cell

BUSY, ASLEEP = 0.005, 0.05
SGD = '{"name":"sgd"}'
NEOLITHIC: dict[str, Any] = {"name": "neolithic", "rounds": 2, "accumulate": True}


class Slow(nn.Module):
    """Computes 5 ms on rank 0 and 15 ms on rank 1, sleeps, and counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.out, self.passes = nn.Linear(64, 10), 0

    def forward(self, inputs: Tensor) -> Tensor:
        until = time.thread_time() + BUSY * (1 + 2 * dist.get_rank())
        while time.thread_time() < until:
            pass
        time.sleep(ASLEEP)
        self.passes += 1
        outputs: Tensor = self.out(inputs.flatten(1))
        return outputs


def slow() -> nn.Module:
    return Slow()


def slow_cell(algorithm: dict[str, Any], **task: Any) -> Cell:
    return cell(algorithm, model="tests.worker.test_compute_alone:slow", **task)


def measure() -> dict[str, Any]:
    steps = 0

    def heartbeat() -> None:
        nonlocal steps
        steps += 1

    replica = set_up(slow_cell(NEOLITHIC, momentum=0.9), NoLink(), heartbeat)
    steps, before = 0, [parameter.detach().clone() for parameter in replica.model.parameters()]
    alone = ComputeAlone.create(replica)
    seconds = alone.step_seconds()
    torch.set_num_threads(2)
    wall_seconds = alone.step_seconds()
    torch.set_num_threads(1)
    found = {
        "seconds": seconds,
        "wall seconds": wall_seconds,
        "passes": alone.model.passes,
        "steps": steps,
        "key": work_key(replica),
        "optimizer": alone.optimizer.state_dict()["param_groups"][0]["momentum"],
        "batches": [len(labels) for _, labels in alone.minibatches],
        "is apart": alone.model is not replica.model,
        "unchanged": all(map(torch.equal, before, replica.model.parameters())),
    }
    replica.close()
    return found


def test_the_seconds_are_the_ranks_mean_cpu_time_of_a_steps_minibatches() -> None:
    first, second = run_ranks(measure, 2)

    # Two minibatches per step: 10 ms of computing on rank 0 and 30 ms on rank 1.
    assert 20 * 1e-3 <= first["seconds"] < 2 * ASLEEP
    assert first["seconds"] == second["seconds"]
    # With several threads, the training thread does not do all of the work, so that sleeping counts, too.
    assert first["wall seconds"] == second["wall seconds"] >= 20 * 1e-3 + 2 * ASLEEP
    for found in (first, second):
        # Two steps are not counted, and one step lasts longer than each of the two bursts.
        assert (found["steps"], found["passes"]) == (4, 2 * 4)
        assert (found["key"], found["optimizer"]) == ((2, True, False, False, SGD), 0.9)
        assert found["batches"] == [32, 32]
        assert found["is apart"]
        assert found["unchanged"]


class Synchronised(nn.Module):
    """Adds a number up over the ranks in each pass, as SyncBatchNorm does, and is slower on rank 1."""

    def __init__(self) -> None:
        super().__init__()
        self.out, self.passes = nn.Linear(64, 10), 0

    def forward(self, inputs: Tensor) -> Tensor:
        dist.all_reduce(torch.ones(1))
        time.sleep(0.03 * dist.get_rank())
        self.passes += 1
        outputs: Tensor = self.out(inputs.flatten(1))
        return outputs


def synchronised() -> nn.Module:
    return Synchronised()


def measure_synchronised() -> Any:
    replica = set_up(cell({"name": "ddp"}, model="tests.worker.test_compute_alone:synchronised"), NoLink())
    alone = ComputeAlone.create(replica)
    alone.step_seconds()
    replica.close()
    return alone.model.passes


def test_a_model_that_communicates_passes_as_often_on_every_rank() -> None:
    # Two uncounted steps, and one: rank 0, which is done with its second after 30 ms, must not begin a third.
    assert run_ranks(measure_synchronised, 2) == [3, 3]


def measure_several() -> list[Any]:
    cells = (cell({"name": "ddp"}), cell({"name": "liec"}), cell({"name": "psgd"}, weight_decay=0.1), cell(NEOLITHIC))
    replicas = [set_up(one, NoLink()) for one in cells]
    found = of_each_work(replicas)
    for replica in replicas:
        replica.close()
    return [list(found), [replicas.index(alone.replica) for alone in found.values()]]


def test_methods_that_compute_the_same_share_a_model() -> None:
    uses = [(1, False, False), (1, False, True), (2, False, False)]
    keys = [(*one, False, SGD) for one in uses]

    assert run_ranks(measure_several, 2) == [[keys, [0, 2, 3]]] * 2
