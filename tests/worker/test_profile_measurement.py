"""The profile of a model, measured in a process of its own and by one rank of a launch."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Session
from liecbench.profiles.profile import Profile
from liecbench.worker.collective_errors import ProfileError
from liecbench.worker.hollow_model import HollowModel
from liecbench.worker.profile_measurement import measure_profile
from liecbench.worker.replay.session_profile import session_profile
from tests.distributed import run_ranks
from tests.worker.small_cells import cell

CPU = torch.device("cpu")
BUSY = 0.004
CHAIN: dict[str, Any] = {"model": "tests.worker.test_profile_measurement:chain"}


class _Busy(torch.autograd.Function):
    """The identity, which computes ``BUSY`` seconds in its backward pass."""

    @staticmethod
    def forward(_ctx: Any, inputs: Tensor) -> Tensor:
        return inputs.view_as(inputs)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        until = time.thread_time() + BUSY
        while time.thread_time() < until:
            pass
        return gradient


class Chain(nn.Module):
    """Four layers, with slow work between the gradients of the second and the third one."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)])

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs.flatten(1)
        for number, layer in enumerate(self.layers):
            hidden = layer(_Busy.apply(hidden) if number == 2 else hidden)  # type: ignore[no-untyped-call]
        return hidden


def chain() -> nn.Module:
    return Chain()


def measured(*contestants: Cell) -> Profile:
    return measure_profile(contestants[0], threads=1, device=CPU, contestants=contestants, min_steps=5)


def by_rank(specs: list[dict[str, Any]]) -> Any:
    """Measure on rank 0 while the others wait, then use the group of all ranks. Collective."""
    state = torch.get_rng_state()
    found = (
        measured(*map(Cell.from_spec, specs)).model_dump(mode="json", by_alias=True) if dist.get_rank() == 0 else None
    )
    dist.barrier()
    total = torch.ones(1)
    dist.all_reduce(total)
    other = dist.new_group([0, 1])
    dist.all_reduce(total, group=other)
    return found, float(total), bool(torch.equal(state, torch.get_rng_state()))


def test_a_rank_measures_while_the_others_wait() -> None:
    cells = [cell({"name": "ddp"}), cell({"name": "liec", "average_period": 8}), cell({"name": "signsgd"})]
    cells[2] = cells[2].model_copy(update={"compressor": None})

    first, second = run_ranks(by_rank, 2, [one.spec() for one in cells])

    assert (first[1:], second) == ((4.0, True), (None, 4.0, True))
    profile = Profile.model_validate_json(json.dumps(first[0]))
    assert [(one.algorithm["name"], one.kind) for one in profile.methods] == [
        ("ddp", "step"),
        ("liec", "compressed"),
        ("liec", "averaging"),
        ("signsgd", "step"),
    ]
    assert [times.compressor["name"] for times in profile.compressors] == ["identity", "sign", "Votes", "Majority"]
    assert (profile.task, profile.batch_size) == (cells[0].task.model_dump(mode="json"), 32)


class Averaged(nn.Module):
    """A model whose ranks average their activations, as synchronized batch normalization does with its statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.layer(images.flatten(1))
        mean = hidden.detach().mean(0)
        dist.all_reduce(mean)
        return hidden - mean


def averaged() -> nn.Module:
    return Averaged()


def refusals(spec: dict[str, Any]) -> str:
    """Return what a session that replays a model says on this rank. Collective."""
    one = Cell.from_spec(spec).model_copy(update={"compute": "replayed"})
    session = Session(contestants=(Contestant(cell=one, jobs=()),), precision=0.02)
    with tempfile.TemporaryDirectory() as directory, pytest.raises(ProfileError) as refused:
        session_profile(session, Path(directory), lambda: None)
    return str(refused.value)


def test_a_model_that_communicates_itself_is_refused_on_all_ranks() -> None:
    spec = cell({"name": "ddp"}, model={"name": "tests.worker.test_profile_measurement:averaged"}).spec()

    first, second = run_ranks(refusals, 2, spec)

    assert first == second
    assert first.startswith("the model communicates in its own training step (allreduce)")
    assert "write `compute: measured`" in first


def test_parts_and_gradients_of_a_chain() -> None:
    profile = measured(cell({"name": "psgd"}, **CHAIN))

    assert not dist.is_initialized()
    ready = {parameter.name: parameter.ready_seconds for parameter in profile.parameters}
    weights = [ready[f"layers.{number}.weight"] for number in range(4)]
    assert weights == sorted(weights, reverse=True)
    # The slow work stands between the gradients of the layers 1 and 2, and nowhere else.
    assert weights[1] - weights[2] >= BUSY > weights[2]
    assert BUSY < weights[0] <= profile.backward.median
    assert profile.compute_seconds == pytest.approx(
        profile.forward.median + profile.backward.median + profile.optimizer.median
    )
    assert [parameter.shape for parameter in profile.parameters][-2:] == [(10, 64), (10,)]
    assert profile.steps >= 5


def test_a_hollow_model_gives_each_parameter_its_gradient() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1, bias=False))
    model[0].bias.requires_grad_(False)
    hollow = HollowModel(model)

    for _ in range(2):
        hollow(torch.zeros(5, 3)).backward()

    assert [parameter.shape for parameter in hollow.parameters()] == [(2, 3), (1, 2)]
    for parameter, gradient in zip(hollow.parameters(), hollow.gradients, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, 2 * gradient)
    assert model[0].weight.grad is None


@pytest.mark.gpu
def test_a_profile_of_a_gpu() -> None:
    contestants = [cell({"name": "ddp"}), cell({"name": "liec"})]

    profile = measure_profile(
        contestants[0], threads=1, device=torch.device("cuda", 0), contestants=contestants, min_steps=5
    )

    assert (profile.device, profile.copy_to_host is not None) == ("cuda", True)
    assert 0 < profile.parameters[-1].ready_seconds <= profile.backward.median
    assert all(one.local >= 0 for one in profile.methods)
    assert all(one.spread is not None and one.spread > 0 for one in profile.methods)
