"""Variants that all methods refuse, and those that only methods of plain DDP's arithmetic take."""

from typing import Any, Final

import torch
import torch.distributed as dist
from torch import nn

from tests.algorithms.loop_variants.loop import Loop, Plain, Variants, sgd, two_layers
from tests.algorithms.loop_variants.models import Function

REFUSED: Final = Variants()


@REFUSED.add
def lbfgs(method: Any) -> Loop:
    loop = Loop(method)
    return loop.start(None if isinstance(method, Plain) else torch.optim.LBFGS(loop.model.parameters()))


@REFUSED.add
def zero_redundancy_optimizer(method: Any) -> Loop:
    from torch.distributed.optim import ZeroRedundancyOptimizer  # warns of its deprecated parts

    loop = Loop(method)
    return loop.start(ZeroRedundancyOptimizer(loop.model.parameters(), optimizer_class=torch.optim.SGD, lr=0.1))


@REFUSED.add
def fully_shard(method: Any) -> Loop:
    from torch.distributed.fsdp import fully_shard as shard

    return Loop(method, compiles=lambda _: shard(two_layers())).start()


@REFUSED.add
def model_without_ddp(method: Any) -> Loop:
    return Loop(method, compiles=lambda ddp: ddp.module).start()


@REFUSED.add
def optimizer_of_another_model(method: Any) -> Loop:
    return Loop(method).start(sgd(two_layers()))


@REFUSED.add
def another_communication_hook(method: Any) -> Loop:
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook

    def hooked(ddp: Any) -> Any:
        ddp.register_comm_hook(None, fp16_compress_hook)
        return ddp

    return Loop(method, compiles=hooked).start()


@REFUSED.add
def grad_scaler(method: Any) -> Loop:
    loop, scaler = Loop(method).start(), torch.amp.GradScaler("cpu", init_scale=2.0)
    scaler.scale(loop.loss()).backward()
    scaler.step(loop.optimizer)
    return loop


@REFUSED.add
def join_with_uneven_inputs(method: Any) -> Loop:
    loop = Loop(method).start()
    with loop.ddp.join():
        return loop.steps(2 + 2 * dist.get_rank())


@REFUSED.add
def sparse_embedding(method: Any) -> Loop:
    torch.manual_seed(0)
    parts = nn.Sequential(nn.Embedding(20, 4, sparse=True), nn.Linear(4, 2))
    loop = Loop(method, Function(parts, lambda p, x: p((x.abs() * 9).long().clamp(max=19)).flatten(1)))
    return loop.start(torch.optim.SGD(loop.model.parameters(), lr=0.1)).steps()
