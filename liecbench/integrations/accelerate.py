"""The algorithms in a training loop that uses Hugging Face's Accelerate."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from accelerate import Accelerator
from torch import Tensor, nn

from liecbench.algorithms.base import Algorithm
from liecbench.integrations.framework_training import FrameworkTraining, scaler_error
from liecbench.integrations.rank_files import load_rank_file, save_rank_file

_LAUNCH = (
    "torchrun --nproc-per-node 2 SCRIPT.py, on CPUs also with Accelerator(cpu=True) or TrainingArguments(use_cpu=True)"
)


def attach(
    algorithm: Algorithm, accelerator: Accelerator, model: nn.Module, optimizer: object
) -> "AcceleratedTraining":
    """Attach an algorithm to what ``accelerator.prepare`` returned; the training loop needs no change. Collective.

    Afterwards ``accelerator.save_state`` writes one more file per rank, which ``accelerator.load_state`` reads. If the
    method has local models, ``accelerator.clip_grad_norm_`` scales the gradients of all of them by one factor. If the
    method has a ``clipping_refusal``, ``accelerator.clip_grad_norm_`` raises ValueError for the model's parameters,
    unless the largest norm is infinite.

    Args:
        algorithm: The algorithm.
        accelerator: The accelerator.
        model: The model that ``accelerator.prepare`` returned.
        optimizer: The optimizer that ``accelerator.prepare`` returned, or a list of optimizers.

    Returns:
        The training. Call its ``detach`` at the end, which restores plain DDP, and replaces local models by their mean.

    Raises:
        RuntimeError: If the training runs in one process, or if this model or another model of the accelerator has an
            algorithm attached already.
        TypeError, ValueError: If the algorithm cannot work with the model, the optimizer or the precision.
    """
    return AcceleratedTraining(algorithm, accelerator, model, optimizer)


class AcceleratedTraining(FrameworkTraining):
    """A training by Accelerate with an algorithm attached. Create it with ``attach``, which explains the arguments."""

    def __init__(self, algorithm: Algorithm, accelerator: Accelerator, model: nn.Module, optimizer: object) -> None:
        if accelerator.scaler is not None:
            raise scaler_error("mixed precision fp16", instead="bf16")
        if "load_state" in vars(accelerator):
            raise RuntimeError(
                "this accelerator trains another model with an algorithm already, and its checkpoints have room for "
                "the memories of one; call detach() of that training first, or algorithm.attach(model, optimizer) for "
                "one of the models, and save its state_dict() yourself"
            )
        optimizers = optimizer if isinstance(optimizer, list | tuple) else [optimizer]
        super().__init__(algorithm, model, optimizers, launch=_LAUNCH)
        self._accelerator, self._loaded_from = accelerator, ""
        self._clip, self._load = accelerator.clip_grad_norm_, accelerator.load_state
        self._handles = [
            accelerator.register_save_state_pre_hook(self._on_save),
            accelerator.register_load_state_pre_hook(self._on_load),
        ]
        accelerator.load_state = self._load_state
        if algorithm.local_models or algorithm.clipping_refusal is not None:
            accelerator.clip_grad_norm_ = self._clip_grad_norm

    def detach(self) -> None:
        """Detach the algorithm, and restore plain DDP and the accelerator's own functions. Collective.

        If ranks have local models, every rank gets the mean of the local models.
        """
        super().detach()
        self._restore_accelerator()

    def abandon(self) -> None:
        """Close the algorithm after a training that failed, without changing the model, and restore the accelerator."""
        super().abandon()
        self._restore_accelerator()

    def _restore_accelerator(self) -> None:
        for handle in self._handles:
            handle.remove()
        for name in ("load_state", "clip_grad_norm_"):
            with suppress(AttributeError):
                delattr(self._accelerator, name)

    def _clip_grad_norm(self, parameters: Iterable[nn.Parameter], max_norm: float, norm_type: float = 2) -> Tensor:
        given: list[Tensor] = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        if not self.algorithm.is_attached or set(given).isdisjoint(self.parameters()):
            clipped: Tensor = self._clip(given, max_norm, norm_type)
            return clipped
        return self.algorithm.clip_grad_norm_(max_norm, norm_type, parameters=given)

    def _on_save(self, models: list[nn.Module], weights: list[dict[str, Tensor]], directory: str) -> None:
        save_rank_file(directory, self)
        if self.algorithm.local_models:
            index = next(i for i, model in enumerate(models) if getattr(model, "module", model) is self._module)
            with self.mean():
                weights[index] = {name: value.clone() for name, value in weights[index].items()}

    def _on_load(self, models: list[nn.Module], directory: str) -> None:
        self._loaded_from = directory

    def _load_state(self, *args: Any, **kwargs: Any) -> None:
        self._load(*args, **kwargs)  # the models and optimizers of rank 0
        load_rank_file(self._loaded_from, self)
