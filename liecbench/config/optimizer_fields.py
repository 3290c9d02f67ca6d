"""The fields of a task that choose its optimizer, and the object that builds the optimizer."""

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from liecbench.config import registry
from liecbench.config.cell_fields import LATER_FIELDS
from liecbench.config.choice import Choice

if TYPE_CHECKING:
    from liecbench.config.task import Task
    from liecbench.tasks.task_optimizers import TaskOptimizer

# Options of optimizers that are fields of the task, too, because tasks had them before they had optimizers.
SHARED: Final = ("momentum", "weight_decay")
# The fields of a task that decide what its optimizer computes in a step.
UPDATE_FIELDS: Final = ("optimizer", *SHARED, "clip_grad_norm")


def optimizer_fields(choice: Choice, given: Collection[str]) -> dict[str, Any]:
    """Return the fields of a task that describe its optimizer: ``optimizer``, ``momentum`` and ``weight_decay``.

    The options ``momentum`` and ``weight_decay`` of ``choice`` become fields of the task. All other options stay in the
    field ``optimizer``. If the optimizer is sgd, options with default values are left out of ``optimizer``. So a task
    with ``optimizer: sgd`` equals a task without ``optimizer``.

    Args:
        choice: The optimizer with all its options, including those that have default values.
        given: The names of the fields that the scenario sets. If ``momentum`` or ``weight_decay`` is in ``given``, the
            field is not returned, because the scenario's value is used.
    """
    options = dict(choice.options)
    fields: dict[str, Any] = {name: options.pop(name) for name in SHARED if name in options}
    if choice.name == "sgd":
        cls = registry.load("optimizer", choice.name)
        options = {name: value for name, value in options.items() if value != registry.default(cls, name)}
    own = {name: value for name, value in fields.items() if name not in given}
    return {"optimizer": Choice(name=choice.name, **options), **own}


def update_of(task: "Task") -> dict[str, Any]:
    """Return the fields of ``task`` that decide what its optimizer computes in a step, as plain JSON values."""
    fields = task.model_dump(mode="json")
    return {name: fields.get(name, LATER_FIELDS.get(name)) for name in UPDATE_FIELDS}


def make_optimizer(task: "Task") -> "TaskOptimizer":
    """Return the object that builds a task's optimizer. Imports torch."""
    cls = registry.load("optimizer", task.optimizer.name)
    known = {field.name for field in dataclasses.fields(cls)}
    shared: dict[str, Any] = {name: getattr(task, name) for name in SHARED if name in known}
    made: TaskOptimizer = cls(**task.optimizer.options, **shared)
    return made
