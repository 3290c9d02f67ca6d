"""Time training steps without communication.

The forward pass, the backward pass, clipping and the optimizer are timed one by one. For each parameter, the time from
the start of the backward pass until the gradient is ready is measured, too.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import torch
from torch import nn

from liecbench.algorithms.comm.timing import Clock
from liecbench.config import workload
from liecbench.config.cell import Cell
from liecbench.config.task import Task
from liecbench.profiles.profile import Duration, ParameterTimes
from liecbench.tasks import base
from liecbench.worker.batches import Batch
from liecbench.worker.device import on_device
from liecbench.worker.lazy_modules import materialise
from liecbench.worker.no_communication import NoCommunication
from liecbench.worker.optimizer_steps import OptimizerSteps
from liecbench.worker.work_clock import PAUSE_SECONDS, thread_clock

_NUM_WARM_UP: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainStep:
    """The seconds of the parts of one training step.

    Attributes:
        forward: The forward pass.
        backward: The backward pass.
        clip: The clipping of the gradients; 0 if they are not clipped.
        optimizer: The optimizer's step.
        ready: For each trainable parameter, in the model's order, the seconds from the start of the backward pass until
            the parameter's gradient is accumulated. None if the backward pass does not use the parameter, or if the
            times of gradients are not measured.
    """

    forward: float
    backward: float
    clip: float
    optimizer: float
    ready: tuple[float | None, ...]

    @property
    def seconds(self) -> float:
        """Seconds of the whole step."""
        return self.forward + self.backward + self.clip + self.optimizer


@dataclass(slots=True, kw_only=True)
class PlainSteps:
    """A model without DistributedDataParallel and without a method, whose steps are measured one by one.

    Attributes:
        fields: The task's settings in the scenario, such as the batch size.
        task: The model, on ``device``, with data and loss.
        device: The device.
        optimizer: The optimizer, with a learning rate of 0: the work is the same, and training cannot diverge.
        clock: The clock that times the parts of a step.
        parameters: (name, parameter) for each trainable parameter, in the model's order.
        taken: The measurements of all steps so far, in order, without the warm-up steps.
    """

    fields: Task
    task: base.Task
    device: torch.device
    optimizer: OptimizerSteps
    clock: Clock
    parameters: list[tuple[str, nn.Parameter]]
    taken: list[PlainStep] = field(default_factory=list)
    _rng: np.random.Generator
    _num_steps: int = 0
    _stamps: dict[int, object] = field(default_factory=dict)

    @classmethod
    def create(cls, cell: Cell, task: base.Task, device: torch.device, *, notes_gradients: bool = True) -> Self:
        """Run a few warm-up steps, and return a model whose next steps can be measured.

        Args:
            cell: The cell whose batches and optimizer the steps use.
            task: The model, on ``device``, with its data and loss.
            device: The device.
            notes_gradients: Whether to measure when each gradient is ready.

        Raises:
            LiecbenchError: If the model's own layers communicate, such as synchronized batch normalization.
        """
        optimizer = OptimizerSteps.of(cell.task, task.model, learning_rate=0.0)
        steps = cls(
            fields=cell.task,
            task=task,
            device=device,
            optimizer=optimizer,
            clock=thread_clock(device),
            parameters=[(name, p) for name, p in task.model.named_parameters() if p.requires_grad],
            _rng=np.random.default_rng(cell.seed),
        )
        for index, (_, parameter) in enumerate(steps.parameters if notes_gradients else ()):
            parameter.register_post_accumulate_grad_hook(steps._note(index))
        with NoCommunication():  # type: ignore[no-untyped-call]
            steps.step()
        for _ in range(_NUM_WARM_UP):
            steps.step()
        steps.taken.clear()
        return steps

    def step(self) -> PlainStep:
        """Take one training step on the next minibatch, and return the seconds of its parts, such as the backward pass.

        The returned value is also appended to ``taken``. A pause of ``PAUSE_SECONDS``, which is not measured, precedes
        the step.
        """
        time.sleep(PAUSE_SECONDS)
        inputs, labels = self._minibatch()
        self._stamps.clear()
        clock = self.clock
        began = clock.timestamp()
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.fields.precision == "bf16"):
            loss = self.task.loss(self.task.model(inputs), labels)
        forward_ended = clock.timestamp()
        loss.backward()
        backward_ended = clock.timestamp()
        self.optimizer.clip()
        clipped = clock.timestamp() if self.optimizer.max_norm is not None else backward_ended
        self.optimizer.step()
        ended = clock.timestamp()
        stamps = dict(self._stamps)
        step = PlainStep(
            forward=self._between(began, forward_ended),
            backward=self._between(forward_ended, backward_ended),
            clip=self._between(backward_ended, clipped),
            optimizer=self._between(clipped, ended),
            ready=tuple(
                self._between(forward_ended, stamps[index]) if index in stamps else None
                for index in range(len(self.parameters))
            ),
        )
        self.taken.append(step)
        return step

    def _between(self, start: object, end: object) -> float:
        found: list[float] = []
        self.clock.record(start, end, lambda begin, last: found.append(last - begin))
        self.clock.synchronize()
        return found[0]

    def _note(self, index: int) -> Callable[[nn.Parameter], None]:
        stamps, timestamp = self._stamps, self.clock.timestamp

        def note(_: torch.Tensor) -> None:
            stamps[index] = timestamp()

        return note

    def _minibatch(self) -> Batch:
        train, size = self.task.train, self.fields.batch_size
        first = self._num_steps * size % max(1, len(train) - size + 1)
        self._num_steps += 1
        indices = torch.arange(first, min(first + size, len(train)))
        return on_device(train.batch(indices, self._rng), self.device)


def built_task(cell: Cell, device: torch.device) -> base.Task:
    """Return a new model of a cell on ``device``, with its data and loss."""
    workload.load(cell.task)
    workload.seed(cell.seed)
    task = workload.build(cell.task)
    task.model.to(device)
    materialise(task, device)
    return task


def duration(seconds: Sequence[float]) -> Duration:
    """Return the median and half the interquartile range of measured seconds."""
    return Duration(median=statistics.median(seconds), spread=half_interquartile_range(seconds))


def half_interquartile_range(seconds: Sequence[float]) -> float:
    """Return half the distance of the quartiles of measured seconds, which may be differences below 0."""
    low, high = np.quantile(seconds, (0.25, 0.75))
    return float(high - low) / 2


def parameter_times(steps: Sequence[PlainStep], parameters: Sequence[tuple[str, nn.Parameter]]) -> list[ParameterTimes]:
    """Return, for each parameter, the median seconds from the start of the backward pass until its gradient is ready.

    The seconds are at most the median seconds of the whole backward pass. For a parameter that no step uses, the
    seconds are equal to this median.

    Args:
        steps: The measured steps.
        parameters: The names and the trainable parameters, in the order of ``PlainStep.ready``.
    """
    latest = statistics.median(step.backward for step in steps)
    found = []
    for index, (name, parameter) in enumerate(parameters):
        ready = [seconds for step in steps if (seconds := step.ready[index]) is not None]
        found.append(
            ParameterTimes.model_validate(
                {
                    "name": name,
                    "shape": tuple(parameter.shape),
                    "dtype": str(parameter.dtype).removeprefix("torch."),
                    "ready_seconds": min(statistics.median(ready), latest) if ready else latest,
                }
            )
        )
    return found
