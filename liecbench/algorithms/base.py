"""The base class of every algorithm (method): a DDP communication hook that counts steps and bytes.

The class keeps the method's memories: tensors that last from step to step, such as the error that compression leaves.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.attachable import Attachable
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.path import Path
from liecbench.algorithms.comm.schedule import Schedule
from liecbench.algorithms.memory import square_norm
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.algorithms.run_length import RunLengthError as RunLengthError
from liecbench.algorithms.saved_state import other_options, pack, unpack
from liecbench.algorithms.training_events import NonFiniteError as NonFiniteError
from liecbench.compressors.base import Compressor

CONFIG = ConfigDict(arbitrary_types_allowed=True, extra="forbid")


@dataclass(kw_only=True, eq=False, config=CONFIG)
class Algorithm(Attachable):
    """A method that turns the workers' gradients into an update, as a communication hook of DistributedDataParallel.

    A subclass implements ``on_attach``, ``reduce_bucket`` and ``schedule``, and overrides ``before_step``,
    ``after_step``, ``memories``, ``step_kind``, ``batches_per_step``, ``set_run_length``, ``incompatibility``,
    ``incompatible_model`` and ``incompatible_optimizer`` as it needs.
    ``ServerAlgorithm`` is the base class of methods that average through a server; most need only a ``reduce``.

    Attributes:
        block_bytes: The largest size of a block of gradient, in bytes of float32. A larger tensor gets a block of its
            own. With the value ``whole``, the whole gradient is one block, so communication cannot overlap with the
            backward pass. None means DDP's default buckets.
        cpu_kernels: Full names of the modules that contain the CPU kernels of the compressors that the method creates
            itself. The modules of the ``compressor`` that a scenario names are not among them.
        notes: The notes on the method that ``docs/methods.md`` shows after the method's docstring; None if the page
            leaves the method out.
        supports_pacing: Whether a ``pacer`` that is set before ``attach`` paces all of the method's messages.
        step: The number of steps so far.
        counters: This rank's totals so far: bytes, messages, and seconds of compression and of communication.
        clock: The clock of the model's device.
        tracer: Collects spans (named pieces of work) for a timeline while ``tracer.enabled``.
        pacer: Delays messages as slow links would; None delays nothing. Set it before ``attach``.
        path: A network path at least as slow as each path between two ranks; None if it is unknown. Set it before
            ``attach``.
        parameter_dtypes: The types of the trainable parameters, in the model's order, that ``schedule`` assumes; None
            if all are float32. Set it before ``schedule``.
        last_bucket_timestamp: The timestamp, by ``clock``, at which DDP last handed over a bucket.
        after_step_seconds: Seconds spent in ``after_step`` so far.
        exposure: Adds up the seconds in which the communication thread compresses or communicates while the training
            thread waits for it.
        hook_cpu_seconds: CPU seconds that the training thread has spent on the method itself so far, rather than on the
            model and the optimizer.
    """

    block_bytes: Annotated[int, Ge(1)] | Literal["whole"] | None = None
    cpu_kernels: ClassVar[tuple[str, ...]] = ()
    supports_pacing: ClassVar[bool] = False
    notes: ClassVar[MethodNotes | None] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.step = 0
        self.pacer: Pacer | None = None
        self.path: Path | None = None
        self.parameter_dtypes: Sequence[torch.dtype] | None = None

    @property
    def bucket_bytes(self) -> int | Literal["whole"] | None:
        """The size in bytes of DDP's gradient buckets (``bucket_cap_mb``) that suits this method best.

        ``whole`` means one bucket for the whole gradient. None means DDP's default.
        """
        return self.block_bytes

    @abstractmethod
    def schedule(self, shapes: Sequence[torch.Size], *, world_size: int, step: int) -> Schedule:
        """Return the messages that all ranks send in step number ``step``.

        Args:
            shapes: The shapes of the trainable parameters, in the model's order.
            world_size: The number of ranks.
            step: The number of the step; steps of one kind have equal schedules.

        Returns:
            The messages, each with its size and the earlier messages that it waits for.

        Raises:
            ScheduleError: If the method's messages cannot be recorded.
        """

    def memories(self) -> dict[str, list[Tensor]]:
        """Return the memories by name. A memory is a list of tensors that the method keeps from step to step.

        A list may have one tensor per block or parameter. The name of a memory of compression errors ends in ``error``.
        """
        return {}

    def step_kind(self, step: int) -> str:
        """Return the kind of step number ``step``; all steps of one kind have the same message sizes."""
        return "step"

    @property
    def start_up_steps(self) -> int:
        """The number of steps in the method's start-up phase, such as a warm-up; 0 if the method has none.

        The step kinds of this phase do not occur later in the training.
        """
        return 0

    def set_run_length(self, *, steps_per_epoch: int, num_epochs: int) -> None:
        """Set the values that depend on the length of the run, such as a number of warm-up steps.

        Called before ``attach``.

        Raises:
            RunLengthError: If an option does not fit the run.
        """
        return

    @property
    def batches_per_step(self) -> int:
        """The number of minibatches whose gradients a step accumulates.

        The backward passes of all minibatches but the last run under DDP's ``no_sync``.
        """
        return 1

    @property
    def overlapped_steps(self) -> int:
        """The number of later steps that compute while the messages of ``after_step`` are in flight.

        The number is 0 if the next step waits for the messages.
        """
        return 0

    def incompatible_model(self, shapes: Sequence[torch.Size]) -> str | None:
        """Return the reason why the method does not work with a model, or None if it works.

        Called by ``attach``, and when a scenario file is checked, for the model of the scenario's task.

        Args:
            shapes: The shapes of the trainable parameters, in the model's order.
        """
        return None

    def incompatible_optimizer(self, name: str, options: Mapping[str, object]) -> str | None:
        """Return the reason why the method does not support an optimizer; None if the optimizer is supported.

        Called by ``attach`` for every optimizer of the model's parameters. Also called when a scenario file is checked,
        for every torch optimizer that the scenario's task uses.

        Args:
            name: The lower-case name of the optimizer's class in torch, such as ``sgd``, ``adamw`` or ``muon``.
            options: The optimizer's options by torch's names, such as ``momentum`` and ``weight_decay``.
        """
        return None

    @classmethod
    def incompatibility(cls, compressor: Compressor) -> str | None:
        """Return the reason why the method does not work with ``compressor``, or None if it works."""
        return None

    def compression_error(self) -> float | None:
        """Return ‖v − C(v)‖²/‖v‖² for the vector v that the method would compress now, or None if it is undefined.

        v is computed from the gradients that the parameters hold, and from the memories. The call changes no state.
        """
        return None

    def set_step(self, step: int) -> None:
        """Set the number of the next step.

        The memories, such as error memories, stay unchanged. Call ``set_step`` on every rank, between two steps.
        """
        self.step = step

    def state_dict(self) -> dict[str, Any]:
        """Return this rank's state, for ``load_state_dict``: the step count, the memories and any other state.

        Memories are tensors that the method keeps from step to step. The state has the tensors themselves, not copies.

        The dict has one key, such as ``rank_0_of_4``, and its value is the state. Because the keys of the ranks differ,
        ``torch.distributed.checkpoint`` saves the states of all ranks. With ``torch.save``, every rank must write a
        file of its own.
        """
        place = self._require_place("state_dict")
        self.synchronize()
        return pack(self.own_state(), self, place)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the step count and the memories (tensors kept from step to step) from ``state``.

        ``state`` is a result of ``state_dict``. Call ``load_state_dict`` after ``attach``.

        Raises:
            ValueError: If the state is that of another rank, number of ranks, process group or method, or if the saved
                memories differ from this algorithm's in their names or shapes.
        """
        place = self._require_place("load_state_dict")
        own = unpack(state, self, place)
        try:
            self.load_own_state(own)
        except ValueError as error:
            changes = other_options(own, self)
            raise ValueError(f"{error}: {changes}" if changes else str(error)) from None

    def own_state(self) -> dict[str, Any]:
        """Return the step count, the memories and any other state of the method, as tensors and plain Python values."""
        return {"step": self.step, "memories": self.memories()}

    def load_own_state(self, state: Mapping[str, Any]) -> None:
        """Restore the step count and the memories from ``state``, which ``own_state`` returned.

        Raises:
            ValueError: If the saved memories differ from this algorithm's in their names or shapes.
        """
        own, saved = self.memories(), state["memories"]
        shapes = {name: [m.shape for m in values] for name, values in own.items()}
        if shapes != {name: [m.shape for m in values] for name, values in saved.items()}:
            raise ValueError("the saved memories belong to another model or to other options")
        for name, values in own.items():
            for memory, value in zip(values, saved[name], strict=True):
                memory.copy_(value)
        self.set_step(state["step"])

    def memory_bytes(self) -> int:
        """Return the size in bytes of this rank's memories, the tensors that the method keeps from step to step."""
        return sum(memory.nbytes for values in self.memories().values() for memory in values)

    def residual_norm(self) -> float | None:
        """Return the Euclidean norm of this rank's error memories, joined into one vector; None if there are none."""
        memories = [m for name, values in self.memories().items() if name.endswith("error") for m in values]
        return sum(map(square_norm, memories)) ** 0.5 if memories else None
