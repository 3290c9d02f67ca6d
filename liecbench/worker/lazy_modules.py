"""Initialise a model's lazy modules, such as ``nn.LazyLinear``: a forward pass gives their parameters a shape."""

import itertools

import numpy as np
import torch
from torch.nn.parameter import is_lazy

from liecbench.tasks.base import Task
from liecbench.worker.module_modes import evaluation_mode


def materialise(task: Task, device: torch.device) -> None:
    """Initialise the parameters of lazy modules by a forward pass in eval mode; do nothing without lazy modules.

    The optimizer and DistributedDataParallel need the shapes of the parameters.

    Args:
        task: The task. Its model is on ``device``, and its first training examples are the inputs of the pass.
        device: The device of the model.
    """
    if not any(map(is_lazy, itertools.chain(task.model.parameters(), task.model.buffers()))):
        return
    inputs, _ = task.train.batch(torch.arange(min(2, len(task.train))), np.random.default_rng(0))
    # A model that computes gradients of its inputs needs them here, too.
    with evaluation_mode(task.model), torch.set_grad_enabled(task.train.inputs.requires_grad):
        task.model(inputs.to(device))
