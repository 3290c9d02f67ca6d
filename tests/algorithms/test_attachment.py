"""Methods attached to models whose parameters are ignored by DDP, not contiguous, or changed after DDP was made."""

from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import PSGD, LocalSGD, MemSGD
from liecbench.compressors import Sign
from tests.distributed import run_ranks


def convolution() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(2, 4, 2), nn.Conv2d(4, 2, 1))
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(layers, ["1.bias"])
    return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def loss(ddp: nn.Module) -> Tensor:
    inputs = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(dist.get_rank()))
    result: Tensor = ddp(inputs).square().mean()
    return result


def momenta() -> dict[str, Any]:
    """Train local models; return the momenta before and after detach, by parameter."""
    model = convolution()
    ddp, optimizer = DistributedDataParallel(model), torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    algorithm = LocalSGD(average_period=9)
    algorithm.attach(ddp, optimizer)
    loss(ddp).backward()
    optimizer.step()
    seen = []
    for _ in range(2):
        named = {name: optimizer.state[p]["momentum_buffer"] for name, p in model.named_parameters()}
        seen.append({name: value.clone() for name, value in named.items()})
        algorithm.detach()
    return {"local": seen[0], "detached": seen[1], "is contiguous": named["0.weight"].is_contiguous()}


def clipped() -> tuple[float, float]:
    """Clip with a method that has no local models; return this rank's norm, and the one that the method returns."""
    model = convolution()
    ddp, algorithm = DistributedDataParallel(model), MemSGD(compressor=Sign())
    algorithm.attach(ddp, torch.optim.SGD(model.parameters(), lr=0.1))
    loss(ddp).backward()
    norm = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm()
    result = float(norm), float(algorithm.clip_grad_norm_(0.01))
    algorithm.detach()
    return result


def refused() -> dict[str, str]:
    """Return the errors of attach to models that changed, and to an option that hooks do not support."""
    messages = {}
    for name in ("unfrozen", "added", "exchanged", "option"):
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        model[0].requires_grad_(name == "option")
        options = {"skip_all_reduce_unused_params": True, "find_unused_parameters": True} if name == "option" else {}
        ddp = DistributedDataParallel(model, **options)  # type: ignore[arg-type]
        if name == "unfrozen":
            model[0].requires_grad_(True)
        if name in ("added", "exchanged"):
            model.append(nn.Linear(2, 2))
            model[1].requires_grad_(name == "added")
        with pytest.raises((TypeError, ValueError)) as raised:
            PSGD().attach(ddp, torch.optim.SGD(model.parameters(), lr=0.1))
        messages[name] = str(raised.value)
    return messages


def observe() -> dict[str, Any]:
    return {"momenta": momenta(), "clipped": clipped(), "refused": refused()}


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(observe, 2)


def test_detach_averages_momenta_in_any_memory_order_but_not_those_of_ignored_parameters(
    ranks: list[dict[str, Any]],
) -> None:
    local, detached = ([rank["momenta"][kind] for rank in ranks] for kind in ("local", "detached"))

    assert not ranks[0]["momenta"]["is contiguous"]
    for name in local[0]:
        assert not torch.equal(local[0][name], local[1][name])
        for rank in range(2):
            expected = local[rank][name] if name == "1.bias" else (local[0][name] + local[1][name]) / 2
            torch.testing.assert_close(detached[rank][name], expected)


def test_clipping_takes_the_largest_norm_if_parameters_are_ignored(ranks: list[dict[str, Any]]) -> None:
    norms = [rank["clipped"][0] for rank in ranks]

    assert norms[0] != norms[1]
    assert [rank["clipped"][1] for rank in ranks] == pytest.approx([max(norms)] * 2, rel=1e-6)


def test_models_that_changed_and_an_option_without_hooks_are_refused(ranks: list[dict[str, Any]]) -> None:
    numbers = {"unfrozen": 4, "added": 4, "exchanged": 2}
    for rank in ranks:
        for name, number in numbers.items():
            assert rank["refused"][name] == (
                f"DistributedDataParallel was made with 2 trainable parameters, but now there are others ({number}), "
                "whose gradients it does not average; freeze, unfreeze and add parameters before you make it"
            )
        assert rank["refused"]["option"].startswith("DistributedDataParallel(skip_all_reduce_unused_params=True) ")
