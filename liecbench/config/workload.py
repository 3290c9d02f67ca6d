"""A cell's data and network: load them, build them, and check that they fit each other."""

import contextlib
import functools
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from liecbench.config import registry, user_functions
from liecbench.config.cell import Choice, Task
from liecbench.errors import Interruption, LiecbenchError

if TYPE_CHECKING:
    import torch

    from liecbench.tasks import base

_TRAINED = ("torch.float32", "torch.float16", "torch.bfloat16")
_FEW_PARAMETERS = 20_000_000


class WorkloadError(ValueError):
    """A dataset or a model that cannot be trained; ``field`` says which of the two."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A loaded dataset, with the input shape and the number of classes that its model is built for."""

    train: "base.Examples"
    test: "base.Examples"
    input_shape: tuple[int, ...]
    num_classes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Facts about a task before it is trained; ``has_classes``: each example has one whole number as its label."""

    num_train_samples: int
    num_test_samples: int
    has_classes: bool
    parameters: "list[torch.Size]"


def load(task: Task) -> Data | None:
    """Return the task's data, loaded once per process; None if its model brings its own. Raises WorkloadError."""
    return None if task.dataset == task.model else _load(task.dataset.model_dump_json())


@functools.lru_cache(maxsize=2)
def _load(choice: str) -> Data:
    import numpy as np
    import torch

    from liecbench.tasks.base import Dataset

    parsed = Choice.model_validate_json(choice)
    seed(0)  # what draws without a generator of its own draws the same on every rank
    made = _make("dataset", parsed, {})
    if not isinstance(made, Dataset):
        raise WorkloadError("dataset", f"{parsed.name} returned {_kind(made)}; return a liecbench.tasks.base.Dataset")
    try:
        train, test = made.load()
        inputs, _ = train.batch(torch.arange(1), np.random.default_rng(0))
    except LiecbenchError as error:
        raise WorkloadError("dataset", str(error)) from error
    except Exception as error:
        raise WorkloadError("dataset", f"{parsed.name} cannot be loaded: {type(error).__name__}: {error}") from error
    _check_parts("dataset", parsed.name, train, test)
    for part in (train, test):
        _check_labels(parsed.name, part.labels, made.num_classes)
    return Data(train=train, test=test, input_shape=tuple(inputs.shape[1:]), num_classes=made.num_classes)


def _check_parts(field: str, name: str, *parts: "base.Examples") -> None:
    for part in parts:
        if not len(part) or len(part.inputs) != len(part.labels):
            counts = f"{len(part.inputs)} inputs and {len(part.labels)} labels"
            raise WorkloadError(field, f"{name} has {counts}; give every input a label, and some of both")


def _check_labels(name: str, labels: "torch.Tensor", num_classes: int) -> None:
    if str(labels.dtype) != "torch.int64":
        raise WorkloadError("dataset", f"{name} has labels of {labels.dtype}; make them torch.int64")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        wrong = low if low < 0 else high
        raise WorkloadError("dataset", f"{name} has the label {wrong}; {num_classes} classes count from 0")


def seed(value: int) -> None:
    """Set every global random state that a user's function may draw from."""
    import numpy as np
    import torch

    random.seed(value)
    np.random.seed(value % 2**32)
    torch.manual_seed(value)


def data_sha256(task: Task) -> str | None:
    """Return the hash of the training and test data; None if a model brings its own."""
    return None if task.dataset == task.model else _sha256(task.dataset.model_dump_json())


@functools.cache
def _sha256(choice: str) -> str:
    data = _load(choice)
    return sha256(data.train, data.test)


def sha256(*parts: "base.Examples") -> str:
    """Return the hash of examples as they are stored."""
    digest = hashlib.sha256()
    for part in parts:
        for tensor in (part.inputs, part.labels):
            digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def build(task: Task) -> "base.Task":
    """Build network, data and loss, initialised from torch's global random state. Raises WorkloadError."""
    from torch import nn

    from liecbench.tasks import base

    data = load(task)
    given = {"input_shape": data.input_shape, "num_classes": data.num_classes} if data else {}
    made = _make("model", task.model, given)
    if data is None:
        if not isinstance(made, base.Task):
            message = f"{task.model.name} returned {_kind(made)}; add dataset: to the task, or return a"
            raise WorkloadError("model", f"{message} liecbench.tasks.base.Task with data of its own")
        _check_parts("model", task.model.name, made.train, made.test)
        return made
    if isinstance(made, base.Task):
        raise WorkloadError("model", f"{task.model.name} returned a task with data of its own; remove dataset:")
    if not isinstance(made, nn.Module):
        raise WorkloadError("model", f"{task.model.name} returned {_kind(made)}; return a torch.nn.Module")
    return base.Task(model=made, train=data.train, test=data.test)


def _make(kind: registry.Kind, choice: Choice, given: dict[str, Any]) -> Any:
    """Make a dataset or a model: build the registry's, or call the user's function."""
    try:
        if user_functions.is_reference(choice.name):
            return user_functions.call(choice.name, registry.options_model(kind, choice.name)(**choice.options), given)
        made = registry.load(kind, choice.name)(**choice.options)
        return made.build(**given) if kind == "model" else made
    except Interruption:
        raise
    except LiecbenchError as error:
        raise WorkloadError(kind, str(error)) from error
    except (Exception, SystemExit) as error:
        raise WorkloadError(kind, f"{choice.name} cannot be made: {type(error).__name__}: {error}") from error


def _kind(made: object) -> str:
    return f"a {type(made).__name__}"


def sizes(task: Task) -> Sizes:
    """Return the sizes of a task. Raises WorkloadError if its model does not fit its data."""
    # Layers that normalise over the batch refuse some batches of one.
    return _sizes(json.dumps([task.dataset.model_dump(), task.model.model_dump(), min(2, task.batch_size)]))


@functools.cache
def _sizes(fit: str) -> Sizes:
    import torch

    dataset, model, batch_size = json.loads(fit)
    task = Task(dataset=dataset, model=model, batch_size=batch_size, epochs=1, learning_rate=1.0)
    load(task)
    with torch.random.fork_rng(devices=[]):
        made = _try_forward(task) if _ours(task.model) else _try_out(task)
    return Sizes(
        num_train_samples=len(made.train),
        num_test_samples=len(made.test),
        has_classes=made.train.labels.dim() == 1 and not made.train.labels.is_floating_point(),
        parameters=[parameter.shape for parameter in made.model.parameters() if parameter.requires_grad],
    )


def _ours(model: Choice) -> bool:
    """Return whether a model is one of liecbench's own, which train, and show their shapes without numbers."""
    known = not user_functions.is_reference(model.name)
    return known and registry.load("model", model.name).__module__.startswith("liecbench.")


def _try_forward(task: Task) -> "base.Task":
    """Run a forward pass, on meta tensors if the model is large, so that no model is too large to be checked.

    A small one runs with numbers, which is faster: for meta tensors torch imports its compiler.
    """
    import torch

    try:
        with _at_most(_FEW_PARAMETERS):
            made, device = build(task), "cpu"
    except WorkloadError:
        with torch.device("meta"):
            made, device = build(task), "meta"
    _outputs(task, made, device)
    return made


@contextlib.contextmanager
def _at_most(num_parameters: int) -> Iterator[None]:
    """Raise OverflowError before a model with more parameters fills them."""
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


def _try_out(task: Task) -> "base.Task":
    """Train someone else's model up to its gradients, and build it a second time. Raises WorkloadError."""
    made, name = build(task), task.model.name
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
    if build(task).model is made.model:
        raise WorkloadError("model", f"{name} returned the same model twice; make a new one in each call")
    made.model.zero_grad()
    return made


def _outputs(task: Task, made: "base.Task", device: str) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return a small batch's outputs and labels. Raises WorkloadError if the loss cannot take them."""
    import numpy as np
    import torch

    data = load(task)
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
        raise WorkloadError("model", f"{task.model.name} gives {_kind(outputs)}; return a tensor from its forward")
    wanted = None if data is None else (*labels.shape, data.num_classes)
    if wanted is not None and tuple(outputs.shape) != wanted:
        message = f"{given}: for {len(inputs)} examples it gives outputs of shape {list(outputs.shape)}"
        raise WorkloadError("model", f"{message} where {list(wanted)} are needed")
    return outputs, labels
