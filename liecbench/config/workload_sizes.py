"""The sizes of a task's data and model, such as the number of training examples and the shapes of parameters.

The sizes are found by loading the data, building the model, and trying the model on a small batch. If the task has a
profile, the shapes are those in the profile.
"""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liecbench.config import registry, user_functions, workload
from liecbench.config.choice import Choice
from liecbench.config.model_trial import try_forward, try_step
from liecbench.config.task import Task
from liecbench.config.workload import WorkloadError
from liecbench.profiles.profile_store import known_profile

if TYPE_CHECKING:
    import torch

_PROFILE_SAMPLES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of a task's data and network, or of the network that a profile was measured on.

    Attributes:
        num_train_samples: The number of training examples.
        num_test_samples: The number of test examples.
        has_classes: True if each example has a single integer as its label.
        is_language_model: True if each example is a sequence of tokens, with a label for each of them.
        parameters: The shapes of the parameters that are trained.
        dtypes: The types of these parameters.
        sparse_parameter: The name of the first trained parameter with sparse gradients; None if none has.
        has_hidden_matrices: True if the network has linear layers besides its output layer.
    """

    num_train_samples: int
    num_test_samples: int
    has_classes: bool
    is_language_model: bool
    parameters: "list[torch.Size]"
    dtypes: "list[torch.dtype]"
    sparse_parameter: str | None
    has_hidden_matrices: bool = False


def sizes(task: Task) -> Sizes:
    """Return the sizes of a task's data and model, such as the number of training examples.

    If the task replays a profile, the parameters are those of the profiled model. There are no data then: the number of
    training examples is taken to be a million.

    Raises:
        WorkloadError: If the data cannot be loaded, if the model cannot be built or trained, if the model does not fit
            the data, or if this process has not read the task's profile.
    """
    if task.profile is not None:
        return _profile_sizes(task.profile)
    # Two examples if the batch size allows: BatchNorm refuses some batches of one.
    return _sizes(json.dumps([task.dataset.model_dump(), task.model.model_dump(), min(2, task.batch_size)]))


@functools.cache
def _profile_sizes(sha256: str) -> Sizes:
    import torch

    profile = known_profile(sha256)
    if profile is None:
        raise WorkloadError("profile", f"the profile {sha256} was not read")
    return Sizes(
        num_train_samples=_PROFILE_SAMPLES,
        num_test_samples=0,
        has_classes=False,
        is_language_model=False,
        parameters=[torch.Size(parameter.shape) for parameter in profile.parameters],
        dtypes=[getattr(torch, parameter.dtype) for parameter in profile.parameters],
        sparse_parameter=None,
    )


@functools.cache
def _sizes(fit: str) -> Sizes:
    import torch

    from liecbench.tasks.task_optimizers import hidden_matrices

    dataset, model, batch_size = json.loads(fit)
    task = Task(dataset=dataset, model=model, batch_size=batch_size, epochs=1, learning_rate=1.0)
    workload.load(task)
    with torch.random.fork_rng(devices=[]):
        made = try_forward(task) if _is_built_in(task.model) else try_step(task)
    trained = [parameter for parameter in made.model.parameters() if parameter.requires_grad]
    return Sizes(
        num_train_samples=len(made.train),
        num_test_samples=len(made.test),
        has_classes=made.train.labels.dim() == 1 and not made.train.labels.is_floating_point(),
        is_language_model=made.train.tokens_per_example is not None,
        parameters=[parameter.shape for parameter in trained],
        dtypes=[parameter.dtype for parameter in trained],
        sparse_parameter=next(_sparse_parameters(made.model), None),
        has_hidden_matrices=bool(hidden_matrices(made.model)),
    )


def _sparse_parameters(model: "torch.nn.Module") -> Iterator[str]:
    """Yield the names of the trainable weights of embeddings with ``sparse=True``."""
    from torch.nn import Embedding, EmbeddingBag

    for name, module in model.named_modules():
        if isinstance(module, Embedding | EmbeddingBag) and module.sparse and module.weight.requires_grad:
            yield f"{name}.weight".removeprefix(".")


def _is_built_in(model: Choice) -> bool:
    """Return whether a model is one of liecbench's own models."""
    # Such a model is known to train, and also runs on meta tensors.
    known = not user_functions.is_reference(model.name)
    return known and registry.load("model", model.name).__module__.startswith("liecbench.")
