"""A model of one's own is trained as a plain script with DistributedDataParallel trains it, to the bit."""

import copy
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.config.cell import Cell
from liecbench.worker import checkpoint
from liecbench.worker.cell_setup import set_up
from liecbench.worker.compute_alone import ComputeAlone
from liecbench.worker.step_timing import rehearse, time_burst
from liecbench.worker.trainer import Trainer
from tests import own_models
from tests.distributed import run_ranks
from tests.own_models import OWN_MODELS
from tests.recorded_models import Numbers, numbers
from tests.worker.small_cells import NoLink, cell

EPOCHS, BATCH, RATE = 2, 10, 0.05


def own_cell(kind: str, algorithm: str = "ddp", **changes: Any) -> Cell:
    """Return a cell that trains a model of this kind in a few steps."""
    task: dict[str, Any] = {part: {"name": f"tests.own_models:{part}", "kind": kind} for part in ("model", "dataset")}
    task |= {"batch_size": BATCH, "epochs": EPOCHS, "learning_rate": RATE, "momentum": 0.9}
    spec = cell({"name": algorithm}, **task).spec()
    return Cell.from_spec({**spec, "block_bytes": None if algorithm == "ddp" else 400, **changes})


def train_plainly(kind: str, *, warm_up: bool = False) -> Numbers:
    """Train as a script without liecbench does; ``warm_up`` runs an uncounted forward and backward pass first."""
    rank, world_size = dist.get_rank(), dist.get_world_size()
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    train, _ = own_models.dataset(kind).load()
    model = own_models.model(kind)
    if kind == "lazy":
        with torch.no_grad():
            model.eval()(train.inputs[:2])
        model.train()
    ddp = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    if warm_up:
        before = copy.deepcopy(model.state_dict())
        ddp(train.inputs[:BATCH]).sum().backward()
        model.load_state_dict(before)
    torch.manual_seed(int(np.random.SeedSequence([0, rank]).generate_state(1)[0]))
    for epoch in range(EPOCHS):
        order = torch.from_numpy(np.random.default_rng([0, epoch]).permutation(len(train))[rank::world_size])
        for batch in order[: len(train) // world_size // BATCH * BATCH].split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(ddp(train.inputs[batch]), train.labels[batch]).backward()
            optimizer.step()
    return numbers(model)


def train_by_liecbench(trained: Cell, *, rehearsed: bool = False, measured: bool = False) -> Numbers:
    replica = set_up(trained, NoLink())
    alone = ComputeAlone.create(replica) if measured else None
    if rehearsed:
        rehearse(replica)
    trainer = Trainer(replica)
    for epoch in range(EPOCHS):
        if alone is not None:
            alone.step_seconds()
        trainer.epoch(epoch, attempt=1)
    replica.close()
    return numbers(replica.model)


def train_with_a_break(directory: Path, trained: Cell) -> Numbers:
    """Train an epoch, and the next with a new replica that resumes from a checkpoint; then time a step."""
    first = set_up(trained, NoLink())
    Trainer(first).epoch(0, attempt=1)
    checkpoint.save(directory, trained.id, 1, first)
    first.close()
    second = set_up(trained, NoLink())
    checkpoint.restore(directory, trained.id, 1, second)
    Trainer(second).epoch(1, attempt=2)
    found = numbers(second.model)
    time_burst(second, 0, 1, repeat=True)
    second.close()
    return found


# Kinds with state that a pass of the rehearsal, or the one that measures the compression error, could change.
WITH_STATE = ("frozen", "initialised", "remembering", "noisy", "following")
# Kinds that draw random numbers, or keep statistics, or whose inputs require gradients.
MEASURED = ("dropout", "lazy", "noisy", "differentiable")


def train_every_way(directory: Path) -> dict[str, dict[str, Numbers]]:
    found: dict[str, dict[str, Numbers]] = {}
    for kind in OWN_MODELS:
        found[kind] = {
            "plain": train_plainly(kind),
            "liecbench": train_by_liecbench(own_cell(kind)),
            "resumed": train_with_a_break(directory, own_cell(kind)),
        }
        if kind in WITH_STATE:
            found[kind] |= {
                "rehearsed": train_by_liecbench(own_cell(kind), rehearsed=True),
                "compressed": train_by_liecbench(own_cell(kind, "memsgd")),
                "compressed, resumed": train_with_a_break(directory, own_cell(kind, "memsgd")),
            }
        if kind in MEASURED:
            found[kind]["measured"] = train_by_liecbench(own_cell(kind), measured=True)
    return found


def _differing_on(rank: int, found: Numbers, expected: Numbers) -> list[str]:
    """Return the names of what differs on a rank, without its buffers unless it is rank 0.

    Evaluation gives other ranks the buffers of rank 0, as the next forward pass of DistributedDataParallel does.
    """
    assert found.keys() == expected.keys()
    compared = [name for name in expected if rank == 0 or not name.startswith("buffer ")]
    return [name for name in compared if not torch.equal(found[name], expected[name])]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Numbers]]]:
    return run_ranks(train_every_way, 2, tmp_path_factory.mktemp("checkpoints"))


@pytest.mark.parametrize(
    ("kind", "way", "expected"),
    [
        *((kind, way, "plain") for kind in OWN_MODELS for way in ("liecbench", "resumed")),
        *((kind, "rehearsed", "plain") for kind in WITH_STATE),
        *((kind, "measured", "plain") for kind in MEASURED),
        *((kind, "compressed, resumed", "compressed") for kind in WITH_STATE),
    ],
)
def test_numbers_are_equal_to_the_bit(
    ranks: list[dict[str, dict[str, Numbers]]], kind: str, way: str, expected: str
) -> None:
    found = [_differing_on(rank, found[kind][way], found[kind][expected]) for rank, found in enumerate(ranks)]

    assert found == [[], []]


def train_on_four(kinds: list[str]) -> dict[str, tuple[Numbers, Numbers]]:
    return {kind: (train_by_liecbench(own_cell(kind, workers=4)), train_plainly(kind, warm_up=True)) for kind in kinds}


def test_four_ranks_are_equal_after_the_same_uncounted_pass() -> None:
    """The pass lets DistributedDataParallel rebuild its buckets, which decide in which order ranks are added."""
    kinds = ["dropout", "strided", "lazy"]
    for rank, found in enumerate(run_ranks(train_on_four, 4, kinds)):
        assert [_differing_on(rank, *found[kind]) for kind in kinds] == [[]] * len(kinds)
