"""Variants of DistributedDataParallel: its options and process groups, and compiled and copied modules."""

import copy
import pickle
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import nn

from liecbench.algorithms import AllReduce, LocalSGD
from tests.algorithms.loop_variants.loop import LIMIT, Loop, Plain, Variants

WRAPPERS: Final = Variants()


@WRAPPERS.add
def group_of_one_s_own(method: Any) -> Loop:
    return Loop(method, options={"process_group": dist.new_group([0, 1], timeout=LIMIT)}).run()


@WRAPPERS.add
def disjoint_groups(method: Any) -> Loop:
    own = dist.new_group([dist.get_rank()], timeout=LIMIT, use_local_synchronization=True)
    loop = Loop(method, options={"process_group": own}).run()
    models = [torch.empty_like(loop.managed()) for _ in range(2)]
    dist.all_gather(models, loop.managed())
    assert not torch.equal(models[0], models[1]), "ranks of different groups have the same model"
    alone = Loop(Plain(), options={"process_group": own}).run()
    averaged = isinstance(method, AllReduce | LocalSGD)  # in a group of one these are plain training
    assert not averaged or torch.equal(loop.managed(), alone.managed())
    loop.model = nn.Sequential()  # the ranks' models differ, as they should
    return loop


@WRAPPERS.add
def static_graph(method: Any) -> Loop:
    return Loop(method, options={"static_graph": True}).run()


@WRAPPERS.add
def gradients_as_views_of_buckets(method: Any) -> Loop:
    return Loop(method, options={"gradient_as_bucket_view": True}).run()


@WRAPPERS.add
def compiled_before_attach(method: Any) -> Loop:
    return Loop(method, compiles=lambda ddp: torch.compile(ddp, backend="eager")).run()


@WRAPPERS.add
def compiled_after_attach(method: Any) -> Loop:
    loop = Loop(method).start()
    loop.ddp = torch.compile(loop.ddp, backend="eager")
    return loop.steps()


def started_in_the_default_group(method: Any) -> Loop:
    """Start a loop whose module can be copied and pickled, unlike one with a group of its own."""
    return Loop(method, options={"process_group": dist.group.WORLD}).start()


@WRAPPERS.add
def averaged_copy_of_ddp(method: Any) -> Loop:
    loop = started_in_the_default_group(method)
    average = torch.optim.swa_utils.AveragedModel(loop.ddp)
    loop.steps(between=lambda: average.update_parameters(loop.ddp))
    average(torch.ones(1, 4))
    return loop


@WRAPPERS.add
def copied_ddp_trains_alone(method: Any) -> Loop:
    loop = started_in_the_default_group(method).steps(2)
    other = copy.deepcopy(loop.ddp)
    with other.join():
        other(torch.ones(1, 4)).sum().backward()
    return loop.steps(2)


@WRAPPERS.add
def pickled_ddp(method: Any) -> Loop:
    loop = started_in_the_default_group(method)
    other = pickle.loads(pickle.dumps(loop.ddp))
    with other.join():
        other(torch.ones(1, 4))
    return loop.steps()
