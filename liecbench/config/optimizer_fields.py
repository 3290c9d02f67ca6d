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
    """Return the fields of a task that describe its optimizer, by name.

    An example is ``{"optimizer": Choice(name="sgd"), "momentum": 0.9, "weight_decay": 0.0}``. The options ``momentum``
    and ``weight_decay`` of ``choice`` become fields of their own. All other options stay in the field ``optimizer``. If
    the optimizer is sgd, options that have their default values are left out of the field ``optimizer``.

    Args:
        choice: The optimizer with all its options, including those that have their default values.
        given: The names of the fields that the scenario sets itself. The result lacks ``momentum`` if ``momentum`` is
            in ``given``, and lacks ``weight_decay`` if ``weight_decay`` is in ``given``.
    """
    options = dict(choice.options)
    fields: dict[str, Any] = {name: options.pop(name) for name in SHARED if name in options}
    if choice.name == "sgd":
        # A task with ``optimizer: sgd`` must equal a task without ``optimizer``, whose default is sgd without options.
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
