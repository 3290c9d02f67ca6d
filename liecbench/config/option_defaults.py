"""The options of a scenario's algorithms, compressors, datasets and models, completed with their defaults."""

import functools
import json
from collections.abc import Callable

from liecbench.config import registry
from liecbench.config.axes import TASK_FIELDS, AlgorithmChoice
from liecbench.config.choice import Choice
from liecbench.config.matrix_point import MatrixPoint
from liecbench.config.optimizer_fields import optimizer_fields
from liecbench.config.task import Task
from liecbench.profiles.profile_store import ProfileFile

Resolve = Callable[[registry.Kind, Choice | AlgorithmChoice], Choice]


def resolved_task(point: MatrixPoint, resolve: Resolve) -> Task:
    """Return the task of one combination of the matrix.

    If ``resolve`` is the function ``resolved``, missing options of the dataset and the model get their defaults. If
    ``resolve`` is ``unresolved``, missing options are left out.
    """
    profile: ProfileFile | None = point.value("profile")
    if profile is not None:
        return Task.of_profile(profile.sha256)
    task = Task(**{name: point.value(name) for name in TASK_FIELDS if name in point.fields})
    model = resolve("model", task.model)
    dataset = model if task.dataset == task.model else resolve("dataset", task.dataset)
    optimizer = optimizer_fields(resolved("optimizer", task.optimizer), point.fields)
    return task.model_copy(update={"dataset": dataset, "model": model, **optimizer})


def resolved(kind: registry.Kind, choice: Choice | AlgorithmChoice) -> Choice:
    """Return ``choice`` with all options of its class: options that ``choice`` does not give have their defaults."""
    return _resolve(kind, choice.name, json.dumps(choice.options, default=str))


def unresolved(_kind: registry.Kind, choice: Choice | AlgorithmChoice) -> Choice:
    """Return the name and the given options of ``choice``, without defaults for the other options.

    ``_kind`` is ignored; it makes the function interchangeable with ``resolved``.
    """
    return Choice(name=choice.name, **choice.options)


@functools.cache
def _resolve(kind: registry.Kind, name: str, options: str) -> Choice:
    return Choice(name=name, **registry.resolve(kind, name, json.loads(options)))
