"""Training loops, models and optimizers as people have them, each trained for a few steps with a method.

``python -m tests.algorithms.loop_variants`` prints the table of all variants and methods.
"""

import copy
import functools
import pickle
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from liecbench.algorithms import LIEC, Algorithm, AllReduce, LocalSGD, MemSGD, PowerSGD
from liecbench.compressors import Sign
from tests.distributed import run_ranks

METHODS: Final[dict[str, Callable[[], Algorithm]]] = {
    "liec": lambda: LIEC(compressor=Sign(), average_period=2, block_bytes=64),
    "memsgd": lambda: MemSGD(compressor=Sign(), block_bytes=64),
    "powersgd": lambda: PowerSGD(min_compression_rate=0.5),
    "local_sgd": lambda: LocalSGD(average_period=2),
    "ddp": AllReduce,
}
LIMIT: Final = timedelta(seconds=30)


class Plain:
    """Stands for a method in a loop of plain DDP."""

    def attach(self, ddp: nn.Module, optimizer: object) -> None:
        self.parameters = list(ddp.parameters())

    def detach(self) -> None:
        return

    def clip_grad_norm_(self, max_norm: float) -> Tensor:
        return nn.utils.clip_grad_norm_(self.parameters, max_norm)


@dataclass
class Loop:
    """A model of two layers, trained on each rank's own batches; a variant changes what it is about."""

    method: Any
    model: nn.Module = field(default_factory=lambda: two_layers())
    options: dict[str, Any] = field(default_factory=dict)
    compiles: Callable[[nn.Module], Any] = lambda ddp: ddp
    wraps: Callable[[Any], Any] = lambda optimizer: optimizer

    def start(self, optimizer: Any = None) -> None:
        if "process_group" not in self.options:
            self.options["process_group"] = group()
        self.ddp = self.compiles(DistributedDataParallel(self.model, **self.options))
        self.optimizer = self.wraps(optimizer or sgd(self.model))
        self.method.attach(self.ddp, self.optimizer)
        self.number = 0
        self.ends: list[int] = []  # the method's step in each call of after_step
        if isinstance(self.method, Algorithm):
            self.method.after_step = self._after_step  # type: ignore[method-assign]

    def _after_step(self) -> None:
        self.ends.append(self.method.step)
        type(self.method).after_step(self.method)

    def loss(self) -> Tensor:
        self.number += 1
        inputs = torch.randn(6, 4, generator=torch.Generator().manual_seed(2 * self.number + dist.get_rank()))
        dtype = next(self.model.parameters()).dtype
        output: Tensor = self.ddp(inputs.to(dtype))
        return output.float().square().mean()

    def steps(self, number: int = 4, between: Callable[[], object] = lambda: None) -> None:
        for _ in range(number):
            self.optimizer.zero_grad()
            self.loss().backward()
            between()
            self.optimizer.step()

    def run(self, between: Callable[[], object] = lambda: None) -> None:
        self.start()
        self.steps(between=between)
        assert isinstance(self.method, Plain) or self.ends == [1, 2, 3, 4], f"after_step ran at steps {self.ends}"


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9, weight_decay=0.1)


def group() -> dist.ProcessGroup:
    made = dist.new_group(timeout=LIMIT)
    assert isinstance(made, dist.ProcessGroup)
    return made


class Branching(nn.Module):
    """A model with a layer that ``uses`` says whether a rank uses."""

    def __init__(self, uses: Callable[[], bool]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.other, self.uses = nn.Linear(4, 3), nn.Linear(4, 3), uses

    def forward(self, inputs: Tensor) -> Tensor:
        output: Tensor = self.first(inputs)
        return output + self.other(inputs) if self.uses() else output


class Function(nn.Module):
    """A model of ``parts``, whose forward pass is ``function(parts, inputs)``."""

    def __init__(self, parts: nn.Module, function: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.parts, self.function = parts, function

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(self.parts, inputs)


class Lookahead(torch.optim.Optimizer):
    """A wrapper as people write it, which does not call ``Optimizer.__init__``."""

    def __init__(self, base: torch.optim.Optimizer) -> None:
        self.base, self.param_groups, self.state, self.defaults = base, base.param_groups, base.state, base.defaults

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.base.zero_grad(set_to_none)

    def step(self, closure: Any = None) -> Any:
        return self.base.step(closure)


VARIANTS: Final[dict[str, Callable[[Any], Loop]]] = {}


def variant(function: Callable[[Any], Loop]) -> Callable[[Any], Loop]:
    VARIANTS[function.__name__.replace("_", " ")] = function
    return function


def ran(loop: Loop, between: Callable[[], object] = lambda: None) -> Loop:
    loop.run(between)
    return loop


@variant
def plain_loop(method: Any) -> Loop:
    return ran(Loop(method))


@variant
def gradients_set_to_none(method: Any) -> Loop:
    loop = Loop(method)
    layer = loop.model[2]  # type: ignore[index]
    before = layer.weight.detach().clone()
    loop.start()
    loop.steps(1, between=layer.zero_grad)
    assert torch.equal(before, layer.weight), "a parameter without a gradient was updated"
    return loop


@variant
def gradients_zeroed(method: Any) -> Loop:
    loop = Loop(method)
    layer = loop.model[2]  # type: ignore[index]
    before = layer.weight.detach().clone()
    loop.start(torch.optim.SGD(loop.model.parameters(), lr=0.1))
    loop.steps(1, between=lambda: layer.zero_grad(set_to_none=False))
    assert torch.equal(before, layer.weight), "a parameter with a gradient of zero was updated"
    return loop


@variant
def a_step_without_gradients(method: Any) -> Loop:
    loop = Loop(method)
    before = loop.model[2].weight.detach().clone()  # type: ignore[index]
    loop.start()
    loop.steps(1, between=lambda: loop.optimizer.zero_grad())
    assert torch.equal(before, loop.model[2].weight)  # type: ignore[index]
    loop.steps()
    return loop


@variant
def a_batch_without_a_step(method: Any) -> Loop:
    loop = Loop(method)
    loop.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop.steps(2)
        loop.optimizer.zero_grad()
        loop.loss().backward()
        loop.steps(2)
    return loop


@variant
def clipping_by_torch(method: Any) -> Loop:
    loop = Loop(method)
    return ran(loop, lambda: nn.utils.clip_grad_norm_(loop.model.parameters(), 0.01))


@variant
def clipping_by_the_method(method: Any) -> Loop:
    return ran(Loop(method), lambda: method.clip_grad_norm_(0.01))


@variant
def hooks_on_gradients(method: Any) -> Loop:
    loop = Loop(method)
    for parameter in loop.model.parameters():
        parameter.register_hook(lambda gradient: gradient * 2)
    return ran(loop)


def double(parameter: Tensor) -> None:
    assert parameter.grad is not None
    parameter.grad.mul_(2)


@variant
def hooks_after_accumulation(method: Any) -> Loop:
    loop = Loop(method)
    for parameter in loop.model.parameters():
        parameter.register_post_accumulate_grad_hook(double)
    return ran(loop)


@variant
def unused_on_every_rank(method: Any) -> Loop:
    loop = Loop(method, Branching(lambda: False), {"find_unused_parameters": True})
    before = loop.model.other.weight.detach().clone()  # type: ignore[union-attr, operator]
    loop.run()
    assert torch.equal(before, loop.model.other.weight), "an unused parameter was updated"  # type: ignore[arg-type, union-attr]
    return loop


@variant
def unused_on_one_rank(method: Any) -> Loop:
    return ran(Loop(method, Branching(lambda: dist.get_rank() == 1), {"find_unused_parameters": True}))


@variant
def unused_with_views_of_buckets(method: Any) -> Loop:
    options = {"find_unused_parameters": True, "gradient_as_bucket_view": True}
    loop = Loop(method, Branching(lambda: len(uses) == 1), options)
    uses = [0]
    loop.start(torch.optim.SGD(loop.model.parameters(), lr=0.1))
    loop.steps(1)
    uses.clear()
    before = loop.model.other.weight.detach().clone()  # type: ignore[union-attr, operator]
    loop.optimizer.zero_grad(set_to_none=False)
    loop.loss().backward()
    assert not torch.any(loop.model.other.weight.grad), "an unused parameter got a gradient"  # type: ignore[arg-type, union-attr]
    loop.optimizer.step()
    averaged = getattr(method, "local_models", False)
    assert averaged or torch.equal(before, loop.model.other.weight)  # type: ignore[arg-type, union-attr]
    return loop


@variant
def ignored_parameters(method: Any) -> Loop:
    model = two_layers()
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(model, ["2.bias"])
    return ran(Loop(method, model))


@variant
def group_of_one_s_own(method: Any) -> Loop:
    return ran(Loop(method, options={"process_group": dist.new_group([0, 1], timeout=LIMIT)}))


@variant
def disjoint_groups(method: Any) -> Loop:
    own = dist.new_group([dist.get_rank()], timeout=LIMIT, use_local_synchronization=True)
    loop = ran(Loop(method, options={"process_group": own}))
    models = [torch.empty_like(managed(loop)) for _ in range(2)]
    dist.all_gather(models, managed(loop))
    assert not torch.equal(models[0], models[1]), "ranks of different groups have the same model"
    alone = Loop(Plain(), options={"process_group": own})
    alone.run()
    averaged = isinstance(method, AllReduce | LocalSGD)  # in a group of one these are plain training
    assert not averaged or torch.equal(managed(loop), managed(alone))
    loop.model = nn.Sequential()
    return loop


@variant
def static_graph(method: Any) -> Loop:
    return ran(Loop(method, options={"static_graph": True}))


@variant
def static_graph_with_unused(method: Any) -> Loop:
    return ran(Loop(method, Branching(lambda: False), {"static_graph": True}))


@variant
def gradients_as_views_of_buckets(method: Any) -> Loop:
    return ran(Loop(method, options={"gradient_as_bucket_view": True}))


@variant
def accumulation_under_no_sync(method: Any) -> Loop:
    loop = Loop(method)
    loop.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            loop.optimizer.zero_grad()
            with loop.ddp.no_sync():
                loop.loss().backward()
            loop.loss().backward()
            loop.optimizer.step()
    return loop


@variant
def join_with_uneven_inputs(method: Any) -> Loop:
    loop = Loop(method)
    loop.start()
    with loop.ddp.join():
        loop.steps(2 + 2 * dist.get_rank())
    return loop


@variant
def compiled_before_attach(method: Any) -> Loop:
    return ran(Loop(method, compiles=lambda ddp: torch.compile(ddp, backend="eager")))


@variant
def compiled_after_attach(method: Any) -> Loop:
    loop = Loop(method)
    loop.start()
    loop.ddp = torch.compile(loop.ddp, backend="eager")
    loop.steps()
    return loop


@variant
def compiled_model_in_ddp(method: Any) -> Loop:
    model: Any = torch.compile(two_layers(), backend="eager")
    return ran(Loop(method, model))


@variant
def activation_checkpointing(method: Any) -> Loop:
    def forward(parts: Any, inputs: Tensor) -> Tensor:
        return parts[2](checkpoint(lambda x: parts[1](parts[0](x)), inputs, use_reentrant=False))  # type: ignore[no-any-return]

    return ran(Loop(method, Function(two_layers(), forward)))


@variant
def reentrant_checkpointing(method: Any) -> Loop:
    def forward(parts: Any, inputs: Tensor) -> Tensor:
        hidden = checkpoint(lambda x: parts[1](parts[0](x)), inputs.requires_grad_(), use_reentrant=True)
        return parts[2](hidden)  # type: ignore[no-any-return]

    return ran(Loop(method, Function(two_layers(), forward), {"static_graph": True}))


@variant
def tied_parameters(method: Any) -> Loop:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    return ran(Loop(method, model))


@variant
def frozen_parameters(method: Any) -> Loop:
    model = two_layers()
    model[0].requires_grad_(False)
    return ran(Loop(method, model))


@variant
def frozen_in_the_middle(method: Any) -> Loop:
    loop = Loop(method, options={"find_unused_parameters": True})
    loop.start()
    loop.steps(2)
    loop.model[0].requires_grad_(False)  # type: ignore[index]
    loop.steps(2)
    return loop


@variant
def parameter_of_no_dimension(method: Any) -> Loop:
    parts = nn.ParameterDict({"w": torch.ones(4, 3), "scale": torch.tensor(0.5)})
    return ran(Loop(method, Function(parts, lambda p, x: x @ p["w"] * p["scale"])))


@variant
def parameter_of_no_elements(method: Any) -> Loop:
    parts = nn.ModuleList([two_layers(), nn.Linear(4, 0), nn.Linear(0, 3)])

    def forward(parts: Any, inputs: Tensor) -> Tensor:
        return parts[0](inputs) + parts[2](parts[1](inputs))  # type: ignore[no-any-return]

    return ran(Loop(method, Function(parts, forward), {"bucket_cap_mb": 1e-6}))


@variant
def channels_last(method: Any) -> Loop:
    torch.manual_seed(0)
    parts = nn.Sequential(nn.Conv2d(1, 4, 2), nn.Conv2d(4, 2, 1)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ran(Loop(method, Function(parts, lambda p, x: p(x.view(6, 1, 2, 2)).flatten(1))))


@variant
def transposed_strides(method: Any) -> Loop:
    torch.manual_seed(0)
    parts = nn.ParameterDict({"w": nn.Parameter(torch.randn(3, 4).t()), "gaps": nn.Parameter(torch.randn(3, 2)[:, 0])})
    return ran(Loop(method, Function(parts, lambda p, x: x @ p["w"] + p["gaps"])))


@variant
def bfloat16(method: Any) -> Loop:
    return ran(Loop(method, two_layers().bfloat16()))


@variant
def float16(method: Any) -> Loop:
    return ran(Loop(method, two_layers().half()))


@variant
def autocast(method: Any) -> Loop:
    loop = Loop(method)
    loop.start()
    with torch.autocast("cpu", torch.bfloat16):
        loop.steps()
    return loop


@variant
def sparse_embedding(method: Any) -> Loop:
    torch.manual_seed(0)
    parts = nn.Sequential(nn.Embedding(20, 4, sparse=True), nn.Linear(4, 2))
    loop = Loop(method, Function(parts, lambda p, x: p((x.abs() * 9).long().clamp(max=19)).flatten(1)))
    loop.start(torch.optim.SGD(loop.model.parameters(), lr=0.1))
    loop.steps()
    return loop


@variant
def batch_norm(method: Any) -> Loop:
    torch.manual_seed(0)
    return ran(Loop(method, nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3))))


@variant
def averaged_copy_of_ddp(method: Any) -> Loop:
    loop = Loop(method, options={"process_group": dist.group.WORLD})
    loop.start()
    average = torch.optim.swa_utils.AveragedModel(loop.ddp)
    loop.steps(between=lambda: average.update_parameters(loop.ddp))
    average(torch.ones(1, 4))
    return loop


@variant
def copied_ddp_trains_alone(method: Any) -> Loop:
    loop = Loop(method, options={"process_group": dist.group.WORLD})
    loop.start()
    loop.steps(2)
    other = copy.deepcopy(loop.ddp)
    other(torch.ones(1, 4)).sum().backward()
    loop.steps(2)
    return loop


@variant
def pickled_ddp(method: Any) -> Loop:
    loop = Loop(method, options={"process_group": dist.group.WORLD})
    loop.start()
    pickle.loads(pickle.dumps(loop.ddp))(torch.ones(1, 4))
    loop.steps()
    return loop


@variant
def lookahead(method: Any) -> Loop:
    return ran(Loop(method, wraps=Lookahead))


@variant
def two_optimizers(method: Any) -> Loop:
    loop = Loop(method)
    first, last = loop.model[0], loop.model[2]  # type: ignore[index]
    both = [torch.optim.SGD(first.parameters(), lr=0.1), torch.optim.AdamW(last.parameters(), lr=0.01)]
    loop.start(both)
    for _ in range(4):
        for optimizer in both:
            optimizer.zero_grad()
        loop.loss().backward()
        for optimizer in both:
            optimizer.step()
    return loop


@variant
def two_optimizers_of_which_one_steps(method: Any) -> Loop:
    loop = Loop(method)
    first, last = loop.model[0], loop.model[2]  # type: ignore[index]
    both = [torch.optim.SGD(first.parameters(), lr=0.1), torch.optim.SGD(last.parameters(), lr=0.01)]
    loop.start(both)
    loop.optimizer = both[0]
    for _ in range(5):
        loop.model.zero_grad()
        loop.loss().backward()
        both[0].step()
    return loop


@variant
def group_added_later(method: Any) -> Loop:
    loop = Loop(method)
    loop.start(sgd(loop.model[0]))  # type: ignore[index]
    loop.steps(2)
    loop.optimizer.add_param_group({"params": list(loop.model[2].parameters())})  # type: ignore[index]
    loop.steps(2)
    return loop


@variant
def schedulers(method: Any) -> Loop:
    loop = Loop(method)
    loop.start()
    scheduler = torch.optim.lr_scheduler.OneCycleLR(loop.optimizer, 0.1, total_steps=9)
    loop.steps(between=scheduler.step)
    return loop


@variant
def closures(method: Any) -> Loop:
    loop = Loop(method)
    loop.start()

    def closure() -> Tensor:
        loop.optimizer.zero_grad()
        loss = loop.loss()
        loss.backward()
        return loss

    for _ in range(4):
        loop.optimizer.step(closure)
    return loop


@variant
def lbfgs(method: Any) -> Loop:
    loop = Loop(method)
    loop.start(None if isinstance(method, Plain) else torch.optim.LBFGS(loop.model.parameters()))
    return loop


@variant
def zero_redundancy_optimizer(method: Any) -> Loop:
    from torch.distributed.optim import ZeroRedundancyOptimizer  # warns of its deprecated parts

    loop = Loop(method)
    loop.start(ZeroRedundancyOptimizer(loop.model.parameters(), optimizer_class=torch.optim.SGD, lr=0.1))
    return loop


@variant
def fully_shard(method: Any) -> Loop:
    from torch.distributed.fsdp import fully_shard as shard

    loop = Loop(method, compiles=lambda _: shard(two_layers()))
    loop.start()
    return loop


@variant
def model_without_ddp(method: Any) -> Loop:
    loop = Loop(method, compiles=lambda ddp: ddp.module)
    loop.start()
    return loop


@variant
def optimizer_of_another_model(method: Any) -> Loop:
    loop = Loop(method)
    loop.start(sgd(two_layers()))
    return loop


@variant
def another_communication_hook(method: Any) -> Loop:
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook

    def hooked(ddp: Any) -> Any:
        ddp.register_comm_hook(None, fp16_compress_hook)
        return ddp

    loop = Loop(method, compiles=hooked)
    loop.start()
    return loop


@variant
def grad_scaler(method: Any) -> Loop:
    loop, scaler = Loop(method), torch.amp.GradScaler("cpu", init_scale=2.0)
    loop.start()
    scaler.scale(loop.loss()).backward()
    scaler.step(loop.optimizer)
    return loop


@variant
def detached_in_the_middle(method: Any) -> Loop:
    loop = Loop(method)
    loop.start()
    loop.steps(2)
    method.detach()
    before = [parameter.detach().clone() for parameter in loop.model.parameters()]
    loop.steps(2)
    assert not any(map(torch.equal, before, loop.model.parameters()))
    return loop


def outcome(function: Callable[[Any], Loop], make: Callable[[], Algorithm]) -> str:
    """Return ``ok``, the error that the method raised, or what is wrong with the trained models."""
    method = make()
    try:
        loop = function(method)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        return f"{type(error).__name__}: {error}"
    try:
        if method.is_attached and method.local_models and method.step % 2:  # between two averaging steps
            with method.evaluation():
                mine = managed(loop)
        else:
            mine = managed(loop)
        problem = "" if bool(mine.isfinite().all()) else "the model is not finite"
        others = [torch.empty_like(mine) for _ in range(2)]
        dist.all_gather(others, mine)
        if not torch.equal(others[0], others[1]):
            problem = "the ranks' models differ"
        if isinstance(method, AllReduce) and not torch.equal(mine, managed(function(Plain()))):
            problem = "the model differs from plain DDP's"
    finally:
        method.detach()
    return problem or "ok"


def managed(loop: Loop) -> Tensor:
    """Return all parameters but ignored ones, as one vector in double precision."""
    ignored = getattr(loop.model, "_ddp_params_and_buffers_to_ignore", ())
    named = loop.model.named_parameters()
    return torch.cat([torch.empty(0).double(), *(p.detach().double().flatten() for n, p in named if n not in ignored)])


def outcomes(methods: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the outcome of every variant (outer keys) with each of these methods (inner keys)."""
    return {
        name: {method: outcome(function, METHODS[method]) for method in methods} for name, function in VARIANTS.items()
    }


if __name__ == "__main__":
    table = run_ranks(functools.partial(outcomes, tuple(METHODS)), 2)[0]
    print("| variant |", " | ".join(METHODS), "|\n|---|" + "---|" * len(METHODS))
    for name, row in table.items():
        print("|", name, "|", " | ".join(row.values()), "|")
