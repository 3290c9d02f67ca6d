"""The algorithms in Lightning's Trainer."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._pytree import tree_map_only

from liecbench.algorithms.base import Algorithm
from liecbench.integrations.framework_training import FrameworkTraining, refuse_clipping, scaler_error

_KEY = "liecbench"


class LightningCompression(Callback):
    """A callback that trains with an algorithm, for ``Trainer(strategy="ddp", callbacks=[…])``.

    The callback attaches the algorithm when ``trainer.fit`` begins to train, and detaches it at the end. A checkpoint
    also holds the algorithm's memories of all ranks. A training that resumes from the checkpoint restores them.

    If the method has local models, their mean is validated, saved in checkpoints, and left in the module at the end.
    ``gradient_clip_val`` then scales the gradients of all local models by one factor. If the method has a
    ``clipping_refusal``, a training with a finite ``gradient_clip_val`` raises ValueError.

    Args:
        algorithm: The algorithm.
    """

    def __init__(self, algorithm: Algorithm) -> None:
        self._algorithm = algorithm
        self._training: FrameworkTraining | None = None
        self._loaded: Mapping[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Attach the algorithm, and restore its state, such as residuals, if the training goes on from a checkpoint."""
        precision = trainer.precision_plugin
        if getattr(precision, "scaler", None) is not None:
            raise scaler_error(f"precision {trainer.precision}", instead="bf16-mixed")
        refuse_clipping(self._algorithm, trainer.gradient_clip_val, "gradient_clip_val=None")
        if self._training is not None and self._algorithm.is_attached:  # an earlier training failed
            self._training.abandon()
        launch = 'Trainer(strategy="ddp", devices=2)'
        self._training = FrameworkTraining(self._algorithm, trainer.strategy.model, trainer.optimizers, launch)
        if self._loaded is not None:
            self._training.load_state_dict(self._loaded)
            self._loaded = None
        if self._algorithm.local_models or self._algorithm.clipping_refusal is not None:
            precision.clip_grad_by_norm = self._clip_grad_norm
        self._precision = precision

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Replace local models by their mean for a validation."""
        if self._training is not None:
            self._training.hold_mean()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the local models, which ``on_validation_start`` replaced by their mean."""
        if self._training is not None:
            self._training.hold_local()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Detach the algorithm. If the ranks have local models, leave the mean of these in the module."""
        if self._training is not None:
            self._training.detach()
            vars(self._precision).pop("clip_grad_by_norm", None)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the states of all ranks to the checkpoint. Collective.

        If the ranks have local models, save their mean as the checkpoint's model.
        """
        if self._training is None:
            return
        own = tree_map_only(Tensor, Tensor.cpu, self._training.state_dict())
        states: list[Any] | None = [None] * trainer.world_size if trainer.global_rank == 0 else None
        dist.gather_object(own, states)
        checkpoint[_KEY] = {
            part: {key: value for state in states or () for key, value in state[part].items()} for part in own
        }
        if self._algorithm.local_models and self._algorithm.is_attached:
            model = checkpoint["state_dict"]
            with self._training.mean():
                model.update({name: value.clone() for name, value in model.items()})

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the states of all ranks from the checkpoint, to be restored by ``on_train_start``."""
        if trainer.state.fn != "fit":
            return
        self._loaded = checkpoint.get(_KEY)
        if self._loaded is None:
            name = type(self._algorithm).__name__
            warnings.warn(f"the checkpoint was saved without {name}, whose memories start from zero", stacklevel=2)

    def _clip_grad_norm(self, optimizer: Optimizer, clip_val: float) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self._algorithm.clip_grad_norm_(clip_val, parameters=parameters)
