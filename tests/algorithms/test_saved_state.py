"""Checkpoints of algorithms: by torch.save and by torch.distributed.checkpoint, and states that do not fit."""

import copy
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import CSER, LIEC, Algorithm, DoubleSqueeze, LocalSGD, MemSGD, PowerSGD
from liecbench.compressors import Sign, TopK
from tests.algorithms import network
from tests.distributed import run_ranks

MAKERS: Final[dict[str, Callable[[], Algorithm]]] = {
    "liec": lambda: LIEC(compressor=Sign(), average_period=4, block_bytes=512),
    "memsgd": lambda: MemSGD(compressor=TopK(0.1), block_bytes=4),
    "doublesqueeze": lambda: DoubleSqueeze(compressor=Sign(), server="root"),
    "cser": lambda: CSER(compressor=TopK(0.1), average_period=3),
    "powersgd": PowerSGD,
    "local_sgd": lambda: LocalSGD(average_period=4),
}


class Training:
    def __init__(self, algorithm: Algorithm, model: dict[str, Tensor] | None = None, group: Any = None) -> None:
        self.algorithm, self.model = algorithm, network.build()
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.ddp, self.optimizer = DistributedDataParallel(self.model, process_group=group), optimizer
        algorithm.attach(self.ddp, optimizer)
        if model is not None:
            self.model.load_state_dict(model)

    def train(self, first: int, last: int) -> Tensor:
        for step in range(first, last):
            self.optimizer.zero_grad()
            network.loss(self.ddp, step, dist.get_rank()).backward()
            self.optimizer.step()
        return network.flat(self.model)

    def memories(self) -> list[Tensor]:
        return [memory.clone() for values in self.algorithm.memories().values() for memory in values]


def resumed(make: Callable[[], Algorithm], directory: Path) -> dict[str, Any]:
    """Train 8 steps, and 5 steps and from their two checkpoints 3 more."""
    from torch.distributed.checkpoint.state_dict_loader import load
    from torch.distributed.checkpoint.state_dict_saver import save

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the formats of tensors that torch saves
        first = Training(make())
        first.train(0, 5)
        saved, model = first.memories(), copy.deepcopy(first.model.state_dict())
        save({"algorithm": first.algorithm.state_dict()}, checkpoint_id=directory / "together")
        file = directory / f"rank-{dist.get_rank()}.pt"
        torch.save(first.algorithm.state_dict(), file)
        models, read = {"whole": first.train(5, 8)}, {}

        second = Training(make(), model)
        state = {"algorithm": second.algorithm.state_dict()}
        load(state, checkpoint_id=directory / "together")
        second.algorithm.load_state_dict(state["algorithm"])
        read["together"], models["together"] = second.memories(), second.train(5, 8)

        third = Training(make(), model)
        third.algorithm.load_state_dict(torch.load(file, weights_only=True))
        read["own file"], models["own file"] = third.memories(), third.train(5, 8)
        for training in (first, second, third):
            training.algorithm.close()
    return {"saved": saved, "read": read, "models": models}


def refusals() -> list[str]:
    algorithm, other = MAKERS["memsgd"](), MemSGD(compressor=Sign(), block_bytes="whole")
    Training(algorithm).train(0, 2)
    Training(other)
    rank = dist.get_rank()
    (own,) = algorithm.state_dict().values()
    states = [
        {f"rank_{1 - rank}_of_2": own},
        {"rank_0_of_4": own, "rank_1_of_4": own},
        {f"rank_{rank}_of_2": {**own, "method": "LIEC"}},
        {"model": own},
        other.state_dict(),
    ]
    messages = []
    for state in states:
        with pytest.raises(ValueError, match=r".") as raised:
            algorithm.load_state_dict(state)
        messages.append(str(raised.value))
    algorithm.load_state_dict({"step": 7, "memories": own["memories"], "learning_rates": own["learning_rates"]})
    assert algorithm.step == 7
    return messages


def groups_of_one(directory: Path) -> dict[str, Any]:
    """Save together the memories of two ranks that train in groups of their own; return those saved and loaded."""
    from torch.distributed.checkpoint.state_dict_loader import load
    from torch.distributed.checkpoint.state_dict_saver import save

    group = dist.new_group([dist.get_rank()], use_local_synchronization=True)
    first, second, whole = (MAKERS["memsgd"]() for _ in range(3))
    training = Training(first, group=group)
    training.train(0, 2)
    saved = training.memories()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the formats of tensors that torch saves
        save({"algorithm": first.state_dict()}, checkpoint_id=directory)
        training = Training(second, group=group)
        state = {"algorithm": second.state_dict()}
        load(state, checkpoint_id=directory)
    second.load_state_dict(state["algorithm"])
    Training(whole)
    with pytest.raises(ValueError, match=r".") as raised:
        whole.load_state_dict(state["algorithm"])
    return {"saved": saved, "read": training.memories(), "refused": str(raised.value)}


def between_backward_and_step() -> bool:
    """Save LIEC after the backward pass of an averaging step; return whether the models are then averaged."""
    algorithm, again = (LIEC(compressor=Sign(), average_period=2) for _ in range(2))
    first = Training(algorithm)
    first.train(0, 1)
    first.optimizer.zero_grad()
    network.loss(first.ddp, 1, dist.get_rank()).backward()
    second = Training(again, copy.deepcopy(first.model.state_dict()))
    again.load_state_dict(algorithm.state_dict())
    for gradient, parameter in zip(first.model.parameters(), second.model.parameters(), strict=True):
        parameter.grad = gradient.grad
    second.optimizer.step()
    own = network.flat(second.model)
    models = [torch.empty_like(own) for _ in range(2)]
    dist.all_gather(models, own)
    for training in (first, second):
        training.algorithm.close()
    return torch.equal(*models)


def observe(directory: Path) -> dict[str, Any]:
    seen = {}
    for name, make in MAKERS.items():
        (directory / name).mkdir(exist_ok=True)
        seen[name] = resumed(make, directory / name)
    others = {"refusals": refusals(), "groups": groups_of_one(directory / "groups")}
    return {**seen, **others, "averaged": between_backward_and_step()}


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as directory:
        return run_ranks(observe, 2, Path(directory))


@pytest.mark.parametrize("kind", ["together", "own file"])
@pytest.mark.parametrize("name", MAKERS)
def test_every_rank_reads_its_own_memories_and_trains_on_to_the_bit(
    ranks: list[dict[str, Any]], name: str, kind: str
) -> None:
    for rank in ranks:
        seen = rank[name]
        assert len(seen["saved"]) == len(seen["read"][kind])
        assert all(map(torch.equal, seen["saved"], seen["read"][kind]))
        assert torch.equal(seen["models"][kind], seen["models"]["whole"])


@pytest.mark.parametrize("name", ["liec", "memsgd", "doublesqueeze", "cser", "powersgd"])
def test_the_memories_of_ranks_differ(ranks: list[dict[str, Any]], name: str) -> None:
    first, second = ([memory.tolist() for memory in rank[name]["saved"]] for rank in ranks)

    assert first != second


def test_states_of_another_rank_world_size_method_or_options_are_refused(ranks: list[dict[str, Any]]) -> None:
    for number, rank in enumerate(ranks):
        of_rank, of_world, of_method, of_nothing, of_options = rank["refusals"]
        assert of_rank == (
            f"the state is that of rank {1 - number}, and this is rank {number}; "
            "let every rank save its own state_dict(), in a file of its own, and load it again"
        )
        assert of_world == (
            "the state was saved by 4 ranks, and now there are 2; "
            "train with 4 ranks, or go on without loading the state, from memories of zero"
        )
        assert of_method == (
            "the state is that of LIEC, and this is MemSGD; "
            "attach LIEC, or go on without loading the state, from memories of zero"
        )
        assert of_nothing == "this is no state_dict() of a liecbench method; its keys are model"
        assert of_options == (
            "the saved learning rates belong to another model or to other options: "
            "block_bytes was 'whole' and is 4; compressor was Sign() and is TopK(ratio=0.1)"
        )


def test_ranks_of_different_groups_save_together_and_read_their_own_memories(ranks: list[dict[str, Any]]) -> None:
    for number, rank in enumerate(ranks):
        seen = rank["groups"]
        assert all(map(torch.equal, seen["saved"], seen["read"]))
        assert seen["refused"] == (
            f"the state was saved in a process group of ranks {number}, and the model's is now one of ranks 0, 1; "
            "train in the same group, or go on without loading the state"
        )
    assert not all(map(torch.equal, *(rank["groups"]["saved"] for rank in ranks)))


def test_an_averaging_that_is_due_is_saved(ranks: list[dict[str, Any]]) -> None:
    assert [rank["averaged"] for rank in ranks] == [True, True]
