"""Trials of a task's model on a small batch, which show before a run that the model can be trained and evaluated."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from liecbench.config import workload
from liecbench.config.task import Task
from liecbench.config.workload import WorkloadError, kind_of

if TYPE_CHECKING:
    import torch

    from liecbench.tasks import base

_TRAINED = ("torch.float32", "torch.float16", "torch.bfloat16")
_FEW_PARAMETERS = 20_000_000


def try_forward(task: Task) -> "base.Task":
    """Build the task that ``task`` describes, run a forward pass of the model on one batch, and return the built task.

    A large model runs on meta tensors, which use no memory. A small model runs on the CPU, which is faster.

    Raises:
        WorkloadError: If the task cannot be built, or if the model does not fit the data.
    """
    import torch

    # For a small model the CPU is faster, because torch imports its compiler before it computes with meta tensors.
    try:
        with _at_most(_FEW_PARAMETERS):
            made, device = workload.build(task), "cpu"
    except WorkloadError:
        with torch.device("meta"):
            made, device = workload.build(task), "meta"
    _outputs(task, made, device)
    return made


@contextlib.contextmanager
def _at_most(num_parameters: int) -> Iterator[None]:
    """Raise OverflowError as soon as a model that is built in the ``with`` block has more than ``num_parameters``."""
    from torch.nn.modules.module import register_module_parameter_registration_hook

    left = num_parameters

    def count(_module: object, name: str, parameter: "torch.nn.Parameter") -> None:
        nonlocal left
        left -= parameter.numel()
        if left < 0:
            raise OverflowError(f"{name} is one too many of {num_parameters:,} parameters")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def try_step(task: Task) -> "base.Task":
    """Build a task whose model is not liecbench's own, try a training step and an evaluation, and return the task.

    Raises:
        WorkloadError: The model cannot be trained (its forward or backward pass fails, for instance) or evaluated, or
            building the model a second time returns the same object.
    """
    made, name = workload.build(task), task.model.name
    _give_lazy_parameters_shapes(task, made)
    outputs, labels = _outputs(task, made, "cpu")
    try:
        loss = made.loss(outputs, labels)
        loss.backward()
        accuracy = float(made.accuracy(outputs.detach(), labels))
    except Exception as error:
        raise WorkloadError("model", f"{name} cannot be trained: {type(error).__name__}: {error}") from error
    if not 0 <= accuracy <= 1:
        raise WorkloadError("model", f"{name} has the accuracy {accuracy}; return a number from 0 to 1")
    for key, parameter in made.model.named_parameters():
        if parameter.requires_grad and parameter.grad is None:
            raise WorkloadError("model", f"{name}: no gradient reaches its parameter {key}; use it or remove it")
        if str(parameter.dtype) not in _TRAINED:
            raise WorkloadError("model", f"{name}: its parameter {key} is {parameter.dtype}; make it torch.float32")
    made.model.zero_grad()
    _try_evaluation(task, made)
    if workload.build(task).model is made.model:
        raise WorkloadError("model", f"{name} returned the same model twice; make a new one in each call")
    return made


def _give_lazy_parameters_shapes(task: Task, made: "base.Task") -> None:
    """Give shapes to the lazy parameters, if any, of the model ``made.model``, by a forward pass in eval mode.

    ``made`` was built from ``task``, the task in the scenario.

    Raises:
        WorkloadError: If the forward pass fails, or if a parameter still has no shape after the forward pass.
    """
    from torch.nn.parameter import is_lazy

    if not any(map(is_lazy, made.model.parameters())):
        return
    _try_evaluation(task, made)
    made.model.train()
    named: dict[str, Any] = dict(made.model.named_parameters())
    if lazy := [key for key, parameter in named.items() if is_lazy(parameter)]:
        reason = "a forward pass in eval mode does not use it; use it there, too, or give it its size"
        raise WorkloadError("model", f"{task.model.name}: the lazy parameter {lazy[0]} has no shape: {reason}")


def _try_evaluation(task: Task, made: "base.Task") -> None:
    """Raise WorkloadError if the model ``made.model`` fails on a batch in eval mode. Leave the model in eval mode.

    Gradients are enabled only if the test inputs have ``requires_grad`` set, as when a run evaluates a model.
    ``made`` was built from ``task``, the task in the scenario.
    """
    import torch

    made.model.eval()
    try:
        with torch.set_grad_enabled(made.test.inputs.requires_grad):
            _outputs(task, made, "cpu")
    except WorkloadError as error:
        hint = "in evaluation; compute gradients in its forward under torch.enable_grad()"
        raise WorkloadError(error.field, f"{error} ({hint})") from error


def _outputs(task: Task, made: "base.Task", device: str) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the outputs of ``made.model`` for one training batch, and the labels of the batch.

    Args:
        task: The task in the scenario.
        made: The task built from ``task``.
        device: The model's device, such as ``meta``.

    Raises:
        WorkloadError: If no batch can be loaded, if the model fails on the inputs, or if the outputs are not a tensor
            of a shape that suits the labels.
    """
    import numpy as np
    import torch

    data = workload.load(task)
    given = f"{task.model.name} does not fit {task.dataset.name}"
    try:
        inputs, labels = made.train.batch(torch.arange(min(task.batch_size, len(made.train))), np.random.default_rng(0))
    except Exception as error:
        raise WorkloadError("dataset", f"{task.dataset.name}: {type(error).__name__}: {error}") from error
    try:
        outputs = made.model(inputs.to(device))
    except Exception as error:
        what = f"inputs of shape {list(inputs.shape)} and {inputs.dtype}: {type(error).__name__}: {error}"
        raise WorkloadError("model", f"{given}: it cannot take {what}") from error
    if not isinstance(outputs, torch.Tensor):
        raise WorkloadError("model", f"{task.model.name} gives {kind_of(outputs)}; return a tensor from its forward")
    wanted = None if data is None else (*labels.shape, data.num_classes)
    if wanted is not None and tuple(outputs.shape) != wanted:
        message = f"{given}: for {len(inputs)} examples it gives outputs of shape {list(outputs.shape)}"
        raise WorkloadError("model", f"{message} where {list(wanted)} are needed")
    return outputs, labels
