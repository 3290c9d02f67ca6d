"""One rank's model, optimizer, algorithm and data for a cell (one configuration with one seed), and a training step."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import Algorithm
from liecbench.algorithms.comm.exposure import LinkRates
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.config.cell import Cell
from liecbench.config.training_schedule import learning_rate_factor
from liecbench.tasks.base import Task
from liecbench.worker.batches import Batch, Batches
from liecbench.worker.device import rng_states, set_rng_states
from liecbench.worker.global_generators import generator_states, set_generator_states
from liecbench.worker.module_state import add_missing_buffers, restore_unsaved_state, unsaved_state
from liecbench.worker.optimizer_steps import OptimizerSteps
from liecbench.worker.step_clock import StepClock


class TrainingLink(Protocol):
    """The functions and properties of a rank's network link that training uses."""

    def shape(self) -> None:
        """Limit all ranks' traffic to the rates and delays of their links. Collective."""

    def unshape(self) -> None:
        """Remove the limits on all ranks' traffic. Collective."""

    @property
    def pacer(self) -> Pacer | None:
        """The pacer, which delays messages to emulate a slow link; None if this process delays no messages."""

    def wire_bytes(self) -> tuple[int, int] | None:
        """Return (sent, received) bytes of this rank's network interface so far; None if ranks share the interface."""

    def rates(self) -> LinkRates | None:
        """Return the rates of this rank's link; None if they are unknown."""

    def emulator_cpu_seconds(self) -> float:
        """Return the CPU seconds so far of the process that emulates the links; 0 without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A cell on one rank, ready for its next training step.

    Attributes:
        cell: The configuration and the seed.
        task: The model, on ``device``, with data, loss and accuracy.
        device: The device on which this rank computes.
        ddp: The model, wrapped for data-parallel training.
        optimizer: The optimizer, which clips the gradient first if the task says so.
        algorithm: The algorithm, attached to ``ddp`` and ``optimizer``.
        batches: This rank's batches.
        link: This rank's link.
        heartbeat: Called to signal the ``liecbench`` command that this rank makes progress.
        changing_parameters: The parameters that the model itself changes in a forward or backward pass, such as a
            parameter that is initialised from the first batch, or a running average of weights.
    """

    cell: Cell
    task: Task
    device: torch.device
    ddp: DistributedDataParallel
    optimizer: OptimizerSteps
    algorithm: Algorithm
    batches: Batches
    link: TrainingLink
    heartbeat: Callable[[], None]
    changing_parameters: frozenset[nn.Parameter] = frozenset()

    @property
    def model(self) -> nn.Module:
        """The model without DistributedDataParallel."""
        return self.task.model

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in an epoch."""
        return self.batches.steps_per_epoch

    @property
    def step_kinds(self) -> list[str]:
        """The kind of each step of the whole training, in order. Steps of one kind have equal message sizes."""
        num_steps = self.steps_per_epoch * self.cell.task.epochs
        return [self.algorithm.step_kind(step) for step in range(num_steps)]

    def set_learning_rate(self, step: int) -> None:
        """Set the learning rate of step number ``step`` of the training, counted from 0."""
        factor = learning_rate_factor(self.cell.task, step=step, steps_per_epoch=self.steps_per_epoch)
        self.optimizer.set_learning_rate(factor)

    def step(self, indices: Tensor, rng: np.random.Generator, clock: StepClock) -> Tensor:
        """Train one step, and return the mean loss of this rank's minibatches. Collective.

        Args:
            indices: Indices of the training examples that this rank uses in the step.
            rng: RNG for data augmentation.
            clock: The clock that times the step.
        """
        clock.loading_begins()
        minibatches = self.batches.minibatches(indices, rng)
        clock.step_begins()
        self.optimizer.zero_grad()
        loss = self.backward(minibatches)
        clock.backward_returned()
        self.optimizer.step()
        clock.step_ended(loss)
        return loss

    def backward(self, minibatches: list[Batch]) -> Tensor:
        """Accumulate the gradients of all minibatches, and return the mean loss.

        The ranks exchange gradients only in the last backward pass.
        """
        total = torch.zeros((), device=self.device)
        for number, minibatch in enumerate(minibatches, start=1):
            with contextlib.nullcontext() if number == len(minibatches) else self.ddp.no_sync():
                loss = self.loss(self.ddp, minibatch) / len(minibatches)
                loss.backward()
            total += loss.detach()
        return total

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the loss of ``model`` on ``batch``, computed in the cell's precision.

        ``model`` is the cell's model, with or without DistributedDataParallel, or a copy of the cell's model.
        """
        inputs, labels = batch
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.cell.task.precision == "bf16"):
            return self.task.loss(model(inputs), labels)

    def state_dict(self) -> dict[str, Any]:
        """Return the state from which this rank can continue training, for ``load_state_dict``.

        The state includes the model, the optimizer, the algorithm and the random generators. Later steps change the
        tensors in the state, because most of them are not copies.
        """
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "algorithm": self.algorithm.state_dict(),
            "random": rng_states(self.device),
            "unsaved": unsaved_state(self.model),
            "generators": generator_states(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of this rank that ``state_dict`` returned."""
        add_missing_buffers(self.model, state["model"])
        self.model.load_state_dict(state["model"])
        if "unsaved" in state:  # earlier versions' checkpoints lack it
            restore_unsaved_state(self.model, state["unsaved"])
            set_generator_states(state["generators"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.algorithm.load_state_dict(state["algorithm"])
        set_rng_states(state["random"], self.device)

    def close(self) -> None:
        """End the algorithm's thread and process group. Collective."""
        self.algorithm.close()
