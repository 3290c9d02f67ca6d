"""The base of every algorithm: a DDP communication hook with a step count, counters and memories."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.distributed as dist
from annotated_types import Ge
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from liecbench.algorithms.comm.finite_check import FiniteCheck
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.schedule import Schedule
from liecbench.algorithms.comm.timing import Clock, Counters, HostClock, Stopwatch, Tracer, clock_for
from liecbench.algorithms.comm.transport import uses_nccl
from liecbench.algorithms.preconditions import refuse_grad_scaler, require_one_device
from liecbench.compressors.base import Compressor

CONFIG = ConfigDict(arbitrary_types_allowed=True, extra="forbid")


class NonFiniteError(FloatingPointError):
    """A gradient is not finite on some rank; every rank raises it at the same step, and its memories stay finite.

    Training cannot continue: blocks exchanged earlier in that step have updated their memories. Over NCCL, where the
    host runs ahead of the GPU, it is raised one step later, when the optimizer has stepped.
    """


@dataclass(kw_only=True, eq=False, config=CONFIG)
class Algorithm(ABC):
    """A method that turns the workers' gradients into an update, as a communication hook of DistributedDataParallel.

    A subclass implements ``on_attach``, ``reduce_bucket`` and ``schedule``, and overrides ``before_step``,
    ``after_step``, ``memories``, ``step_kind``, ``batches_per_step`` and ``incompatibility`` as it needs.
    ``ServerAlgorithm`` is the base of methods that average through a server: often all that one writes is ``reduce``.

    Attributes:
        block_bytes: The largest block in which gradients travel, in bytes of float32. ``whole`` is a single block,
            which cannot overlap with the backward pass.
        local_models: Whether the workers' models differ between steps.
        supports_pacing: Whether all of its messages respect a ``pacer`` that is set before ``attach``.
        step: The number of steps so far.
        counters: Bytes, messages and seconds so far.
        clock: The clock of the model's device.
        tracer: Collects the timeline's spans while it is enabled.
        pacer: Emulates slow links; None for the links as they are.
        last_bucket_timestamp: When DDP handed over its last bucket.
        after_step_seconds: Time spent in ``after_step`` so far.
    """

    block_bytes: Annotated[int, Ge(1)] | Literal["whole"] = 25 * 2**20
    local_models: ClassVar[bool] = False
    supports_pacing: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.step = 0
        self.counters = Counters()
        self.device = torch.device("cpu")
        self.clock: Clock = HostClock()
        self.last_bucket_timestamp = self.clock.timestamp()
        self.after_step_seconds = 0.0
        self.pacer: Pacer | None = None
        self.tracer = Tracer()
        self._failure: BaseException | None = None
        self._finite_check = FiniteCheck(is_async=False)
        self._grad_scaler_checked = False

    def attach(self, ddp: DistributedDataParallel, optimizer: Optimizer) -> None:
        """Become the communication hook of ``ddp``. Collective. The training loop stays as it is.

        Gradients of 16 bits are compressed, summed and remembered in float32.

        Args:
            ddp: The model, with all parameters on the CPU or on one GPU.
            optimizer: The optimizer of its parameters.

        Raises:
            TypeError: If ``ddp`` is another kind of module.
            ValueError: If a parameter has an unsupported type or device.
            RuntimeError: Later, in ``optimizer.step``, under an enabled GradScaler, whose changing scale would change
                the units of the memories.
        """
        if not isinstance(ddp, DistributedDataParallel):
            raise TypeError(f"attach takes a DistributedDataParallel module, not {type(ddp).__name__}")
        self.device = require_one_device(ddp)
        self.clock = clock_for(self.device)
        ranks = dist.get_process_group_ranks(ddp.process_group)
        group = dist.new_group(ranks)
        assert group is not None, "this rank belongs to the group of the model"
        self._finite_check = FiniteCheck(is_async=uses_nccl(self.device, group))
        self._optimizer = optimizer
        self.on_attach(ddp, group)
        ddp.register_comm_hook(self, Algorithm._on_bucket)
        # A training loop that skips a step, as a GradScaler does, learns of a failure here.
        ddp.register_forward_pre_hook(lambda *_: self._raise_failure())
        optimizer.register_step_pre_hook(lambda *_: self._on_step_begin())
        optimizer.register_step_post_hook(lambda *_: self._on_step_end())

    @abstractmethod
    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Prepare for training ``ddp``, which ``attach`` has checked.

        Args:
            ddp: The model.
            group: A process group of the algorithm's own, with the ranks of the model's group.
        """

    @abstractmethod
    def reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Start the communication of one of DDP's gradient buckets.

        Args:
            bucket: Its buffer holds this rank's gradients of some parameters.

        Returns:
            A future of the bucket's buffer with the update in the place of the gradients. Errors go to
            ``self._failure``, which ``optimizer.step`` raises; the future must complete in any case.
        """

    @abstractmethod
    def schedule(self, shapes: Sequence[torch.Size], *, world_size: int, step: int) -> Schedule:
        """Return what all ranks send in a step.

        Args:
            shapes: The shapes of the trainable parameters, in the model's order.
            world_size: The number of ranks.
            step: The number of the step; steps of one kind have equal schedules.

        Returns:
            The messages with their sizes, and which waits for which.

        Raises:
            ScheduleError: If the method cannot be recorded.
        """

    def before_step(self) -> None:
        """Complete the update, after the backward pass and before the optimizer uses it."""
        return

    def after_step(self) -> None:
        """Communicate what the method communicates after the optimizer's step."""
        return

    def memories(self) -> dict[str, list[Tensor]]:
        """Return the tensors that outlive a step, by name; names of error memories end in ``error``."""
        return {}

    def step_kind(self, step: int) -> str:
        """Return the kind of step number ``step``; all steps of a kind send the same bytes."""
        return "step"

    @property
    def batches_per_step(self) -> int:
        """Minibatches whose gradients a step accumulates, all but the last under ``no_sync``."""
        return 1

    @classmethod
    def incompatibility(cls, compressor: Compressor) -> str | None:
        """Return why the method does not work with ``compressor``, or None if it does."""
        return None

    def compression_error(self) -> float | None:
        """Return ‖v − C(v)‖²/‖v‖² for the gradients now in the parameters, or None if it is undefined.

        No state changes.
        """
        return None

    def set_step(self, step: int) -> None:
        """Continue as step number ``step``; the memories stay as they are. Call it between two steps, on every rank."""
        self.step = step

    def synchronize(self) -> None:
        """Bring counters, seconds and spans up to date between two steps; waits for a GPU.

        Raises:
            NonFiniteError: As a step.
        """
        self._raise_non_finite(self._finite_check.finish())
        self.clock.synchronize()

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Put the mean of the workers' models in place; local models come back on exit. Collective."""
        self.synchronize()
        yield

    def state_dict(self) -> dict[str, Any]:
        """Return this rank's step count and memories."""
        self.synchronize()
        return {"step": self.step, "memories": self.memories()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned.

        Raises:
            ValueError: If its memories are not those of this algorithm.
        """
        own, saved = self.memories(), state["memories"]
        shapes = {name: [m.shape for m in values] for name, values in own.items()}
        if shapes != {name: [m.shape for m in values] for name, values in saved.items()}:
            raise ValueError("the saved memories belong to another algorithm, model, block_bytes or number of workers")
        for name, values in own.items():
            for memory, value in zip(values, saved[name], strict=True):
                memory.copy_(value)
        self.set_step(state["step"])

    def residual_norm(self) -> float | None:
        """Return the Euclidean norm of all error memories of this rank, or None if the method has none."""
        memories = [m for name, values in self.memories().items() if name.endswith("error") for m in values]
        return sum(float(m.double().square().sum()) for m in memories) ** 0.5 if memories else None

    def close(self) -> None:
        """End what ``attach`` started; the model cannot be trained further."""
        return

    def _on_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        self.last_bucket_timestamp = self.clock.timestamp()
        return self.reduce_bucket(bucket)

    def _on_step_begin(self) -> None:
        if not self._grad_scaler_checked:
            # Once is enough, and looking at the stack in every step is not free: a training loop has a scaler or not.
            refuse_grad_scaler()
            self._grad_scaler_checked = True
        self._raise_failure()
        self._raise_non_finite(self._finite_check.end_step())
        self.before_step()

    def _on_step_end(self) -> None:
        start = self.clock.timestamp()
        self.after_step()
        self.clock.record(start, self.clock.timestamp(), self._count_after_step)

    def _count_after_step(self, begin: float, end: float) -> None:
        self.after_step_seconds += end - begin

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _raise_non_finite(self, message: str | None) -> None:
        if message is not None:
            self._failure = NonFiniteError(message)
            raise self._failure

    def _stopwatch(self) -> Stopwatch:
        return Stopwatch(self.counters, self.tracer, self.clock)
