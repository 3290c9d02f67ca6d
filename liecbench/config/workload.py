"""Load the data of a cell (one training run), and build the cell's model."""

import functools
import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from liecbench.config import registry, user_functions
from liecbench.config.choice import Choice
from liecbench.config.task import Task
from liecbench.errors import Interruption, LiecbenchError

if TYPE_CHECKING:
    import torch

    from liecbench.tasks import base


class WorkloadError(ValueError):
    """A dataset, model or profile that cannot be used; ``field`` is ``"dataset"``, ``"model"`` or ``"profile"``."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A loaded dataset; ``input_shape`` is the shape of one input, without a batch dimension."""

    train: "base.Examples"
    test: "base.Examples"
    input_shape: tuple[int, ...]
    num_classes: int


def load(task: Task) -> Data | None:
    """Return the task's data; None if the task's model brings its own data.

    The two datasets that were used last stay in the process's memory, and are not loaded again. Raises WorkloadError if
    the dataset cannot be loaded, or its samples or labels cannot be trained on.
    """
    return None if task.dataset == task.model else _load(task.dataset.model_dump_json())


@functools.lru_cache(maxsize=2)
def _load(choice: str) -> Data:
    import numpy as np
    import torch

    from liecbench.tasks.base import Dataset

    parsed = Choice.model_validate_json(choice)
    seed(0)  # code that draws from a global generator then draws the same on every rank
    made = _make("dataset", parsed, {})
    if not isinstance(made, Dataset):
        raise WorkloadError("dataset", f"{parsed.name} returned {kind_of(made)}; return a liecbench.tasks.base.Dataset")
    try:
        train, test = made.load()
        inputs, _ = train.batch(torch.arange(1), np.random.default_rng(0))
    except Interruption:
        raise
    except LiecbenchError as error:
        raise WorkloadError("dataset", str(error)) from error
    except (Exception, SystemExit) as error:
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
    """Seed the global random generators of Python, NumPy and torch, which a user's function may draw from."""
    import numpy as np
    import torch

    random.seed(value)
    np.random.seed(value % 2**32)
    torch.manual_seed(value)


def data_sha256(task: Task) -> str | None:
    """Return the SHA-256 of the task's training and test data; None if its model brings its own data."""
    return None if task.dataset == task.model else _sha256(task.dataset.model_dump_json())


@functools.cache
def _sha256(choice: str) -> str:
    data = _load(choice)
    return sha256(data.train, data.test)


def sha256(*parts: "base.Examples") -> str:
    """Return the SHA-256 of the inputs and labels of ``parts`` as stored, with their dtypes and shapes."""
    import torch

    digest = hashlib.sha256()
    for part in parts:
        for tensor in (part.inputs, part.labels):
            digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            # As bytes, because NumPy lacks some types, such as bfloat16.
            digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def build(task: Task) -> "base.Task":
    """Return a task's model, data and loss; torch's global random state initialises the model.

    Raises:
        WorkloadError: If the dataset or the model cannot be built, or has a wrong type.
    """
    from torch import nn

    from liecbench.tasks import base

    data = load(task)
    given = {"input_shape": data.input_shape, "num_classes": data.num_classes} if data else {}
    made = _make("model", task.model, given)
    if data is None:
        if not isinstance(made, base.Task):
            message = f"{task.model.name} returned {kind_of(made)}; add dataset: to the task, or return a"
            raise WorkloadError("model", f"{message} liecbench.tasks.base.Task with data of its own")
        _check_parts("model", task.model.name, made.train, made.test)
        return made
    if isinstance(made, base.Task):
        raise WorkloadError("model", f"{task.model.name} returned a task with data of its own; remove dataset:")
    if not isinstance(made, nn.Module):
        raise WorkloadError("model", f"{task.model.name} returned {kind_of(made)}; return a torch.nn.Module")
    return base.Task(model=made, train=data.train, test=data.test)


def _make(kind: registry.Kind, choice: Choice, given: dict[str, Any]) -> Any:
    """Return the dataset or model that ``choice`` names.

    If ``choice`` names a user's function, call the function and return the result. ``given`` has, by name, the values
    that liecbench provides to models and functions, such as ``input_shape``.
    """
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


def kind_of(made: object) -> str:
    """Return the class of ``made`` in words, such as ``a list``, for an error message."""
    return f"a {type(made).__name__}"
