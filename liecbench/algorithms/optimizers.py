"""Find the torch optimizers of a training loop, and read their options.

On these optimizers, an algorithm registers hooks that run at the start and the end of each ``optimizer.step``.
"""

import sys
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any, Final

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

_SHARDED = {
    "ZeroRedundancyOptimizer": "shards the optimizer's state over the ranks",
    "DeepSpeedZeroOptimizer": "shards gradients and the optimizer's state over the ranks",
    "DeepSpeedZeroOptimizer_Stage3": "shards parameters, gradients and the optimizer's state over the ranks",
}


# The function that every optimizer's step is, in which torch runs the hooks.
_STEP_CODE: Final = next(c for c in Optimizer.profile_hook_step.__code__.co_consts if isinstance(c, CodeType))


def hooked_optimizers(given: object, parameters: Iterable[Parameter]) -> dict[Optimizer, frozenset[Optimizer]]:
    """Return the optimizers in which an algorithm registers step hooks, each with its innermost optimizers.

    Hooks are registered in each torch optimizer that runs step hooks and has at least one of ``parameters``. A wrapper
    is an object with an optimizer in an attribute; it may be a torch optimizer itself, as SAM is.

    Args:
        given: The training loop's optimizer or wrapper, or a list of optimizers and wrappers.
        parameters: The model's parameters that the algorithm updates.

    Returns:
        The optimizers in which hooks are registered. The value of a wrapper is the set of its innermost optimizers; the
        value of an optimizer that wraps none is the set of only itself. If SAM wraps SGD, the result is
        ``{sam: {sgd}, sgd: {sgd}}``.

    Raises:
        TypeError: If ``given``, or an item of a list, is neither a torch optimizer nor a wrapper of one. Also if an
            optimizer shards its state over the ranks.
        ValueError: If ``given`` is an empty list, if an optimizer is LBFGS, or if an outermost torch optimizer has none
            of ``parameters``.
    """
    items = _items(given)
    if not items:
        raise ValueError("attach needs at least one optimizer, and the list is empty")
    own = set(parameters)
    innermost: dict[Optimizer, frozenset[Optimizer]] = {}
    for outer in (optimizer for item in items for optimizer in _behind(item)):
        if not _updates(outer, own):
            raise ValueError(
                f"the {type(outer).__name__} has no parameter of this DistributedDataParallel model; "
                "attach takes the optimizer that updates the model"
            )
        _add(outer, own, innermost)
    for optimizer in innermost:
        if isinstance(optimizer, torch.optim.LBFGS):
            raise ValueError(
                "LBFGS calls its closure as often as the rank's own loss demands, so that ranks would exchange an "
                "unequal number of gradients and wait for each other; take an optimizer with one gradient per step"
            )
    return innermost


def optimizer_options(
    optimizers: Iterable[Optimizer], parameters: Iterable[Parameter]
) -> list[tuple[str, dict[str, object]]]:
    """Return (name, options) of each parameter group that has at least one of ``parameters``. Equal pairs appear once.

    ``name`` is the name of the optimizer's class in lower case, such as ``adamw``. If this class is a user's subclass
    of a torch optimizer, ``name`` is that of the torch optimizer.
    """
    own = set(parameters)
    found: list[tuple[str, dict[str, object]]] = []
    for optimizer in optimizers:
        names = [cls.__name__ for cls in type(optimizer).__mro__ if cls.__module__.startswith("torch.optim.")]
        name = (names[0] if names[0] != "Optimizer" else type(optimizer).__name__).lower()
        for group in optimizer.param_groups:
            options = {key: value for key, value in group.items() if key in optimizer.defaults}
            if not own.isdisjoint(group["params"]) and (name, options) not in found:
                found.append((name, options))
    return found


def learning_rates(optimizers: Iterable[Optimizer], parameters: Iterable[Parameter]) -> list[float]:
    """Return the learning rate of each of ``parameters``; 0 for a parameter that no optimizer updates."""
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    rates = {parameter: float(group["lr"]) for group in groups for parameter in group["params"]}
    return [rates.get(parameter, 0.0) for parameter in parameters]


def not_plain_sgd(name: str, options: Mapping[str, object], *, own_momentum: str) -> str | None:
    """Return None if an optimizer is SGD without momentum, else the reason why the method cannot use it.

    Args:
        name: The lower-case name of the optimizer's class in torch.
        options: The optimizer's options by torch's names.
        own_momentum: The method's own momentum option with its value, such as ``decay: 0.9``, for the reason's text.
    """
    if name != "sgd":
        return f"its update is a step of plain SGD, and the optimizer is {name}; write optimizer: sgd"
    if options.get("momentum"):
        return (
            "it keeps the momentum itself, and the optimizer would apply one a second time; "
            f"give the optimizer momentum: 0, and the method {own_momentum}"
        )
    return None


def is_within_step(optimizers: Container[object]) -> bool:
    """Return True if the step hook that calls this function runs in an inner optimizer step.

    An outer step calls an inner step if an optimizer wraps another optimizer, or if a ``step`` calls ``super().step``.
    Each step runs its hooks, but only the hooks of the outermost step should act.

    Args:
        optimizers: The optimizers whose steps count. Steps of other optimizers are ignored.
    """
    # Search the stack, because a count of hooks would be wrong after a step that raised an error.
    number = 0
    frame: FrameType | None = sys._getframe()
    while frame is not None and number < 2:
        if frame.f_code is _STEP_CODE and frame.f_locals.get("self") in optimizers:
            number += 1
        frame = frame.f_back
    return number > 1


def _items(value: Any) -> list[Any]:
    """Return the items of a list or tuple, or the values of a dict; anything else becomes a list of one item."""
    match value:
        case list() | tuple():
            return list(value)
        case dict():
            return list(value.values())
    return [value]


def _add(optimizer: Optimizer, own: set[Parameter], innermost: dict[Optimizer, frozenset[Optimizer]]) -> None:
    wrapped = [inner for inner in _wrapped(optimizer, {id(optimizer)}) if _updates(inner, own)]
    innermost[optimizer] = frozenset([optimizer])
    for inner in wrapped:
        _add(inner, own, innermost)
    if wrapped:
        innermost[optimizer] = frozenset[Optimizer]().union(*(innermost[inner] for inner in wrapped))


def _updates(optimizer: Optimizer, own: set[Parameter]) -> bool:
    return not own.isdisjoint(p for group in optimizer.param_groups for p in group["params"])


def _behind(item: object) -> Iterator[Optimizer]:
    """Yield ``item`` if it is a torch optimizer that runs step hooks, else the torch optimizers that ``item`` wraps.

    ``item`` may be any object with optimizers in its attributes. Of nested optimizers, only the outermost that runs
    step hooks is yielded. Raises TypeError if nothing can be yielded, or if an optimizer is sharded over the ranks.
    """
    _refuse_sharded(item)
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
        values.extend(_items(value))
    for value in values:
        if hasattr(value, "step") and hasattr(value, "param_groups") and id(value) not in seen:
            seen.add(id(value))
            _refuse_sharded(value)
            if _has_hooks(value):
                yield value
            else:
                yield from _wrapped(value, seen)


def _refuse_sharded(item: object) -> None:
    for cls in type(item).__mro__:
        if cls.__name__ in _SHARDED:
            raise TypeError(
                f"{cls.__name__} {_SHARDED[cls.__name__]}; take an optimizer that is not sharded, "
                "such as the one that it wraps"
            )


def _has_hooks(item: object) -> bool:
    # Only Optimizer.__init__ sets this attribute; ``_behind`` gives the hooks of steps to wrappers, too.
    return isinstance(item, Optimizer) and "_optimizer_state_dict_pre_hooks" in vars(item)
