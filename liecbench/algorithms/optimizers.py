"""Find the torch optimizers around whose steps an algorithm works."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

_SHARDED = {
    "ZeroRedundancyOptimizer": "shards the optimizer's state over the ranks",
    "DeepSpeedZeroOptimizer": "shards gradients and the optimizer's state over the ranks",
    "DeepSpeedZeroOptimizer_Stage3": "shards parameters, gradients and the optimizer's state over the ranks",
}


def hooked_optimizers(given: object, parameters: Iterable[Parameter]) -> list[Optimizer]:
    """Return the torch optimizers in ``given``. They run hooks before and after each step.

    Args:
        given: An optimizer, an object that wraps one in an attribute, or a list of such.
        parameters: The parameters that the model averages.

    Raises:
        TypeError: If there is no torch optimizer, or one that shards its state over the ranks.
        ValueError: If an optimizer is LBFGS, or has no parameter of the model.
    """
    items = list(given) if isinstance(given, list | tuple) else [given]
    if not items:
        raise ValueError("attach needs at least one optimizer, and the list is empty")
    found = [optimizer for item in items for optimizer in _behind(item)]
    own = set(parameters)
    for optimizer in found:
        if isinstance(optimizer, torch.optim.LBFGS):
            raise ValueError(
                "LBFGS calls its closure as often as the rank's own loss demands, so that ranks would exchange an "
                "unequal number of gradients and wait for each other; take an optimizer with one gradient per step"
            )
        if own.isdisjoint(p for group in optimizer.param_groups for p in group["params"]):
            raise ValueError(
                f"the {type(optimizer).__name__} has no parameter of this DistributedDataParallel model; "
                "attach takes the optimizer that updates the model"
            )
    return list(dict.fromkeys(found))


def _behind(item: object) -> Iterator[Optimizer]:
    """Yield ``item`` if it is an optimizer that runs hooks; otherwise yield the optimizers that it wraps."""
    for cls in type(item).__mro__:
        if cls.__name__ in _SHARDED:
            raise TypeError(
                f"{cls.__name__} {_SHARDED[cls.__name__]}; take an optimizer that is not sharded, "
                "such as the one that it wraps"
            )
    if _has_hooks(item):
        assert isinstance(item, Optimizer)
        yield item
        return
    wrapped = list(_wrapped(item, {id(item)}))
    if not wrapped:
        reason = ", which wraps none" if hasattr(item, "step") else ""
        raise TypeError(
            "attach takes a torch.optim.Optimizer, an object that wraps one, or a list of them; "
            f"this is of type {type(item).__name__}{reason}"
        )
    if isinstance(item, Optimizer):
        # Its class did not call Optimizer.__init__, and its step would fail after a call of Optimizer.zero_grad.
        for hooks in ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"):
            vars(item).setdefault(hooks, OrderedDict())
    yield from wrapped


def _wrapped(item: object, seen: set[int]) -> Iterator[Optimizer]:
    values: list[Any] = []
    for value in getattr(item, "__dict__", {}).values():
        values.extend(value if isinstance(value, list | tuple) else [value])
    for value in values:
        if hasattr(value, "step") and hasattr(value, "param_groups") and id(value) not in seen:
            seen.add(id(value))
            if _has_hooks(value):
                yield value
            else:
                yield from _wrapped(value, seen)


def _has_hooks(item: object) -> bool:
    return isinstance(item, Optimizer) and "_optimizer_step_post_hooks" in vars(item)
