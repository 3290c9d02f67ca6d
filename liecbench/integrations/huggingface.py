"""A callback for Hugging Face's Trainer that trains with an algorithm of liecbench."""

from contextlib import ExitStack
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from liecbench.algorithms.base import Algorithm
from liecbench.integrations.accelerate import AcceleratedTraining, attach
from liecbench.integrations.framework_training import refuse_clipping
from liecbench.integrations.rank_files import load_rank_file, save_rank_file


class TrainerCompression(TrainerCallback):
    """A callback that trains with an algorithm: ``trainer.add_callback(TrainerCompression(trainer, algorithm))``.

    The callback attaches the algorithm when ``trainer.train`` begins and detaches it at the end. Checkpoints get one
    more file per rank, which ``trainer.train(resume_from_checkpoint=…)`` reads. Add this callback after all callbacks
    that set ``control.should_evaluate`` or ``control.should_save``.

    If the method trains a local model on each rank, the mean of the local models is evaluated, saved in checkpoints,
    and left in the model at the end. Clipping by ``max_grad_norm`` scales the gradients of all local models by the same
    factor. If the method has a ``clipping_refusal``, a finite ``max_grad_norm`` above 0 raises ValueError.

    Args:
        trainer: The trainer, which must train in several processes with DistributedDataParallel.
        algorithm: The algorithm.
    """

    def __init__(self, trainer: Trainer, algorithm: Algorithm) -> None:
        self._trainer, self._algorithm = trainer, algorithm
        self._training: AcceleratedTraining | None = None
        self._checkpoint: str | None = None
        self._trial: Any = None
        # No callback is told which checkpoint the training goes on from.
        self._train, trainer.train = trainer.train, self._train_from

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Attach the algorithm, and restore its state, such as residuals, if the training goes on from a checkpoint."""
        trainer = self._trainer
        refuse_clipping(self._algorithm, args.max_grad_norm, "max_grad_norm=0")
        if self._training is not None and self._algorithm.is_attached:  # an earlier training failed
            self._training.abandon()
        self._training = attach(self._algorithm, trainer.accelerator, trainer.model_wrapped, trainer.optimizer)
        if self._checkpoint is not None:
            load_rank_file(self._checkpoint, self._training)
        if args.eval_on_start:
            self._training.hold_mean()

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """Restore the local models, if they were replaced by their mean for an evaluation or a save."""
        self._attached.hold_local()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Replace each worker's local model by the workers' mean model if the trainer evaluates or saves next.

        Otherwise, restore the local models if they were replaced before.
        """
        if control.should_evaluate or control.should_save:
            self._attached.hold_mean()
        else:
            self._attached.hold_local()

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Replace local models by their mean if an evaluation or a save comes next."""
        self.on_step_end(args, state, control)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Write the file with this rank's state into the checkpoint, unless checkpoints hold only the model."""
        if not args.save_only_model:
            run = self._trainer._get_output_dir(self._trial)
            save_rank_file(f"{run}/checkpoint-{state.global_step}", self._attached)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Detach the algorithm; replace local models, if the method has any, by their mean.

        If the trainer has loaded the best checkpoint at the end of training, the loaded parameters stay unchanged.
        """
        with ExitStack() as stack:
            if args.load_best_model_at_end and state.best_model_checkpoint is not None:
                stack.enter_context(self._attached.unchanged_parameters())
            self._attached.detach()

    @property
    def _attached(self) -> AcceleratedTraining:
        assert self._training is not None, "the trainer calls on_train_begin first"
        return self._training

    def _train_from(
        self, resume_from_checkpoint: str | bool | None = None, trial: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        checkpoint = resume_from_checkpoint or None
        if checkpoint is True:
            checkpoint = get_last_checkpoint(self._trainer.args.output_dir)
        self._checkpoint, self._trial = checkpoint, trial
        return self._train(resume_from_checkpoint, trial, *args, **kwargs)
