"""A cell's data and network, made from what its task says of them, and whether they go together."""

import functools
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from liecbench import catalog, references
from liecbench.cell import Choice, Task
from liecbench.errors import LiecbenchError

if TYPE_CHECKING:
    import torch

    from liecbench.tasks import base


class WorkloadError(ValueError):
    """A dataset or a model that cannot be trained; ``field`` says which of the two."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What a dataset holds, and what of it a model is told."""

    train: "base.Examples"
    test: "base.Examples"
    input_shape: tuple[int, ...]
    num_classes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What is known of a task before it is trained; ``has_classes``: each example has one whole number as its label."""

    num_train_samples: int
    num_test_samples: int
    has_classes: bool
    parameters: "list[torch.Size]"


def load(task: Task) -> Data | None:
    """The task's data, loaded once a process; None where its model brings its own. WorkloadError."""
    return None if task.dataset == task.model else _load(task.dataset.model_dump_json())


@functools.lru_cache(maxsize=2)
def _load(choice: str) -> Data:
    import numpy as np
    import torch

    from liecbench.tasks.base import Dataset

    parsed = Choice.model_validate_json(choice)
    made = _make("dataset", parsed, {})
    if not isinstance(made, Dataset):
        raise WorkloadError("dataset", f"{parsed.name} returned {_kind(made)}; return a liecbench.tasks.base.Dataset")
    try:
        train, test = made.load()
    except LiecbenchError as error:
        raise WorkloadError("dataset", str(error)) from error
    for part in (train, test):
        if not len(part) or len(part.inputs) != len(part.labels):
            counts = f"{len(part.inputs)} inputs and {len(part.labels)} labels"
            raise WorkloadError("dataset", f"{parsed.name} has {counts}; give every input a label, and some of both")
        _check_labels(parsed.name, part.labels, made.num_classes)
    inputs, _ = train.batch(torch.arange(1), np.random.default_rng(0))
    return Data(train=train, test=test, input_shape=tuple(inputs.shape[1:]), num_classes=made.num_classes)


def _check_labels(name: str, labels: "torch.Tensor", num_classes: int) -> None:
    if labels.is_floating_point():
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        wrong = low if low < 0 else high
        raise WorkloadError("dataset", f"{name} has the label {wrong}; {num_classes} classes count from 0")


def data_sha256(task: Task) -> str | None:
    """The hash of everything that is trained and tested on, as it is stored; None where a model brings its data."""
    return None if task.dataset == task.model else _sha256(task.dataset.model_dump_json())


@functools.cache
def _sha256(choice: str) -> str:
    digest, data = hashlib.sha256(), _load(choice)
    for part in (data.train, data.test):
        for tensor in (part.inputs, part.labels):
            digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def build(task: Task) -> "base.Task":
    """Network, data and loss, freshly initialised by torch's global random state. WorkloadError."""
    from torch import nn

    from liecbench.tasks import base

    data = load(task)
    told = {"input_shape": data.input_shape, "num_classes": data.num_classes} if data else {}
    made = _make("model", task.model, told)
    if data is None:
        if not isinstance(made, base.Task):
            message = f"{task.model.name} returned {_kind(made)}; add dataset: to the task, or return a"
            raise WorkloadError("model", f"{message} liecbench.tasks.base.Task with data of its own")
        return made
    if isinstance(made, base.Task):
        raise WorkloadError("model", f"{task.model.name} returned a task with data of its own; remove dataset:")
    if not isinstance(made, nn.Module):
        raise WorkloadError("model", f"{task.model.name} returned {_kind(made)}; return a torch.nn.Module")
    return base.Task(model=made, train=data.train, test=data.test)


def _make(kind: catalog.Kind, choice: Choice, told: dict[str, Any]) -> Any:
    """What stands behind a dataset's or a model's name: a catalog's model is built, a function called."""
    try:
        if references.is_reference(choice.name):
            return references.call(choice.name, choice.options, told)
        made = catalog.load(kind, choice.name)(**choice.options)
        return made.build(**told) if kind == "model" else made
    except LiecbenchError as error:
        raise WorkloadError(kind, str(error)) from error
    except Exception as error:
        raise WorkloadError(kind, f"{choice.name} cannot be made: {type(error).__name__}: {error}") from error


def _kind(made: object) -> str:
    return f"a {type(made).__name__}"


def sizes(task: Task) -> Sizes:
    """The sizes of a task whose model fits its data; WorkloadError where it does not."""
    # Layers that normalise over the batch refuse some batches of one.
    return _sizes(json.dumps([task.dataset.model_dump(), task.model.model_dump(), min(2, task.batch_size)]))


@functools.cache
def _sizes(fit: str) -> Sizes:
    import torch

    dataset, model, batch_size = json.loads(fit)
    task = Task(dataset=dataset, model=model, batch_size=batch_size, epochs=1, learning_rate=1.0)
    # Shapes are enough to see whether a model of the catalog fits; a function of the user's may need real numbers.
    device = "cpu" if references.is_reference(task.model.name) else "meta"
    load(task)
    with torch.device(device), torch.random.fork_rng(devices=[]):
        made = build(task)
    _check_outputs(task, made, device)
    return Sizes(
        num_train_samples=len(made.train),
        num_test_samples=len(made.test),
        has_classes=made.train.labels.dim() == 1 and not made.train.labels.is_floating_point(),
        parameters=[parameter.shape for parameter in made.model.parameters() if parameter.requires_grad],
    )


def _check_outputs(task: Task, made: "base.Task", device: str) -> None:
    """WorkloadError where the model's outputs for a small batch are not what the loss takes."""
    import numpy as np
    import torch

    data = load(task)
    inputs, labels = made.train.batch(torch.arange(min(task.batch_size, len(made.train))), np.random.default_rng(0))
    given = f"{task.model.name} does not fit {task.dataset.name}"
    try:
        with torch.no_grad():
            outputs = made.model(inputs.to(device))
    except Exception as error:
        what = f"inputs of shape {list(inputs.shape)} and {inputs.dtype}: {type(error).__name__}: {error}"
        raise WorkloadError("model", f"{given}: it cannot take {what}") from error
    wanted = None if data is None else (*labels.shape, data.num_classes)
    if wanted is not None and tuple(outputs.shape) != wanted:
        message = f"{given}: for {len(inputs)} examples it gives outputs of shape {list(outputs.shape)}"
        raise WorkloadError("model", f"{message} where {list(wanted)} are needed")
