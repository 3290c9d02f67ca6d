"""Variants of models: their layers, parameters and types."""

from collections.abc import Callable
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from tests.algorithms.loop_variants.loop import Loop, Variants, two_layers, unchanged

MODELS: Final = Variants()


class Branching(nn.Module):
    """A model with a layer that a rank uses if ``uses()``."""

    def __init__(self, uses: Callable[[], bool]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.other, self.uses = nn.Linear(4, 3), nn.Linear(4, 3), uses

    def forward(self, inputs: Tensor) -> Tensor:
        output: Tensor = self.first(inputs)
        return output + self.other(inputs) if self.uses() else output


class Function(nn.Module):
    """A model of ``parts``, whose forward pass is ``function(parts, inputs)``."""

    def __init__(self, parts: nn.Module, function: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.parts, self.function = parts, function

    def forward(self, inputs: Tensor) -> Any:
        return self.function(self.parts, inputs)


@MODELS.add
def unused_on_every_rank(method: Any) -> Loop:
    loop = Loop(method, Branching(lambda: False), {"find_unused_parameters": True})
    with unchanged(loop.model.other.weight):
        return loop.run()


@MODELS.add
def unused_on_one_rank(method: Any) -> Loop:
    return Loop(method, Branching(lambda: dist.get_rank() == 1), {"find_unused_parameters": True}).run()


@MODELS.add
def unused_with_views_of_buckets(method: Any) -> Loop:
    options = {"find_unused_parameters": True, "gradient_as_bucket_view": True}
    loop = Loop(method, Branching(lambda: len(uses) == 1), options)
    uses = [0]
    loop.start(torch.optim.SGD(loop.model.parameters(), lr=0.1)).steps(1)
    uses.clear()
    weight = loop.model.other.weight
    before = weight.detach().clone()
    loop.optimizer.zero_grad(set_to_none=False)
    loop.loss().backward()
    assert not torch.any(weight.grad), "an unused parameter got a gradient"
    loop.optimizer.step()
    averaged = getattr(method, "local_models", False)
    assert averaged or torch.equal(before, weight)
    return loop


@MODELS.add
def static_graph_with_unused(method: Any) -> Loop:
    return Loop(method, Branching(lambda: False), {"static_graph": True}).run()


@MODELS.add
def ignored_parameters(method: Any) -> Loop:
    model = two_layers()
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(model, ["2.bias"])
    return Loop(method, model).run()


@MODELS.add
def compiled_model_in_ddp(method: Any) -> Loop:
    return Loop(method, torch.compile(two_layers(), backend="eager")).run()


@MODELS.add
def activation_checkpointing(method: Any) -> Loop:
    def forward(parts: Any, inputs: Tensor) -> Any:
        return parts[2](checkpoint(lambda x: parts[1](parts[0](x)), inputs, use_reentrant=False))

    return Loop(method, Function(two_layers(), forward)).run()


@MODELS.add
def reentrant_checkpointing(method: Any) -> Loop:
    def forward(parts: Any, inputs: Tensor) -> Any:
        return parts[2](checkpoint(lambda x: parts[1](parts[0](x)), inputs.requires_grad_(), use_reentrant=True))

    return Loop(method, Function(two_layers(), forward), {"static_graph": True}).run()


@MODELS.add
def tied_parameters(method: Any) -> Loop:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    return Loop(method, model).run()


@MODELS.add
def frozen_parameters(method: Any) -> Loop:
    model = two_layers()
    model[0].requires_grad_(False)
    return Loop(method, model).run()


@MODELS.add
def parameter_of_no_dimension(method: Any) -> Loop:
    parts = nn.ParameterDict({"w": torch.ones(4, 3), "scale": torch.tensor(0.5)})
    return Loop(method, Function(parts, lambda p, x: x @ p["w"] * p["scale"])).run()


@MODELS.add
def parameter_of_no_elements(method: Any) -> Loop:
    parts = nn.ModuleList([two_layers(), nn.Linear(4, 0), nn.Linear(0, 3)])
    return Loop(method, Function(parts, lambda p, x: p[0](x) + p[2](p[1](x))), {"bucket_cap_mb": 1e-6}).run()


@MODELS.add
def channels_last(method: Any) -> Loop:
    torch.manual_seed(0)
    parts = nn.Sequential(nn.Conv2d(1, 4, 2), nn.Conv2d(4, 2, 1)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Loop(method, Function(parts, lambda p, x: p(x.view(6, 1, 2, 2)).flatten(1))).run()


@MODELS.add
def transposed_strides(method: Any) -> Loop:
    torch.manual_seed(0)
    parts = nn.ParameterDict({"w": nn.Parameter(torch.randn(3, 4).t()), "gaps": nn.Parameter(torch.randn(3, 2)[:, 0])})
    return Loop(method, Function(parts, lambda p, x: x @ p["w"] + p["gaps"])).run()


@MODELS.add
def bfloat16(method: Any) -> Loop:
    return Loop(method, two_layers().bfloat16()).run()


@MODELS.add
def float16(method: Any) -> Loop:
    return Loop(method, two_layers().half()).run()


@MODELS.add
def batch_norm(method: Any) -> Loop:
    torch.manual_seed(0)
    return Loop(method, nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3))).run()
