"""What every algorithm is to a training loop: a DDP communication hook, a step count, counters, memories."""

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.distributed as dist
from annotated_types import Ge
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from liecbench.algorithms.comm.clock import Clock, HostClock, clock_of
from liecbench.algorithms.comm.counters import Counters, Stopwatch
from liecbench.algorithms.comm.finite_check import Doubts
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.tracing import Tracer
from liecbench.algorithms.comm.transport import over_nccl
from liecbench.compressors.base import Compressor

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_GRAD_SCALER_FILE = inspect.getfile(GradScaler)
CONFIG = ConfigDict(arbitrary_types_allowed=True, extra="forbid")


class NonFiniteError(FloatingPointError):
    """A gradient is not finite on some rank; every rank raises it at the same step, and its memories stay finite.

    Blocks that travelled before in that step have already moved their memories on, so the algorithm ends here. Over
    NCCL, where the host runs ahead of the GPU, it is raised a step later, when the optimizer has stepped.
    """


@dataclass(kw_only=True, eq=False, config=CONFIG)
class Algorithm(ABC):
    """A way to turn the workers' gradients into an update.

    ``block_bytes`` bounds the blocks in which gradients travel; ``whole`` is a single block, which cannot overlap with
    the backward pass. ``local_models`` says whether the workers' models differ between steps, ``can_be_paced`` whether
    all of its messages keep to a ``pacer`` that is set before ``attach``. ``tracer`` keeps spans while it is on.
    """

    block_bytes: Annotated[int, Ge(1)] | Literal["whole"] = 25 * 2**20
    local_models: ClassVar[bool] = False
    can_be_paced: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.step = 0
        self.counters = Counters()
        self._failure: BaseException | None = None
        self.device = torch.device("cpu")
        self.clock: Clock = HostClock()
        self.last_bucket_at = self.clock.mark()
        self.around_step_seconds = 0.0
        self.pacer: Pacer | None = None
        self.tracer = Tracer()
        self._doubts = Doubts(late=False)

    def attach(self, ddp: DistributedDataParallel, optimizer: Optimizer) -> None:
        """Become the communication hook of ``ddp``; collective. The training loop stays as it is.

        Gradients of 16 bits are compressed, summed and remembered in float32. TypeError for another kind of module,
        ValueError where a parameter is of another type, or not on the CPU or the one GPU of the others. Later, in
        ``optimizer.step``: RuntimeError under an enabled GradScaler, whose changing scale would change the memories'
        units.
        """
        if not isinstance(ddp, DistributedDataParallel):
            raise TypeError(f"attach takes a DistributedDataParallel module, not {type(ddp).__name__}")
        self.device = _device_of(ddp)
        self.clock = clock_of(self.device)
        ranks = dist.get_process_group_ranks(ddp.process_group)
        group = dist.new_group(ranks)
        assert group is not None, "this rank belongs to the group of the model"
        self._doubts = Doubts(late=over_nccl(self.device, group))
        self._optimizer = optimizer
        self._attached(ddp, group)
        ddp.register_comm_hook(self, Algorithm._on_bucket)
        # A script that skips a step, as a GradScaler does, learns of a failure here.
        ddp.register_forward_pre_hook(lambda *_: self._raise_failure())
        optimizer.register_step_pre_hook(lambda *_: self._step_begins())
        optimizer.register_step_post_hook(lambda *_: self._timed_after_step())

    def _on_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        self.last_bucket_at = self.clock.mark()
        return self._reduce_bucket(bucket)

    def _step_begins(self) -> None:
        _refuse_grad_scaler()
        self._raise_failure()
        self._raise_doubt(self._doubts.step_ends())
        self._before_step()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _raise_doubt(self, confirmed: str | None) -> None:
        if confirmed is not None:
            self._failure = NonFiniteError(confirmed)
            raise self._failure

    def _timed_after_step(self) -> None:
        start = self.clock.mark()
        self._after_step()
        self.clock.spend(start, self.clock.mark(), self._count_around_step)

    def _count_around_step(self, begun: float, ended: float) -> None:
        self.around_step_seconds += ended - begun

    def _stopwatch(self) -> Stopwatch:
        return Stopwatch(self.counters, self.tracer, self.clock)

    def settle(self) -> None:
        """Bring counters, seconds and spans up to date between two steps; waits for a GPU. NonFiniteError as a step."""
        self._raise_doubt(self._doubts.all())
        self.clock.settle()

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """The workers' mean model in place; local models come back on exit. Collective."""
        self.settle()
        yield

    def state_dict(self) -> dict[str, Any]:
        """This rank's step count and memories."""
        self.settle()
        return {"step": self.step, "memories": self._memories()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state_dict``'s value; ValueError where its memories are not those of this algorithm."""
        mine, theirs = self._memories(), state["memories"]
        shapes = {name: [m.shape for m in values] for name, values in mine.items()}
        if shapes != {name: [m.shape for m in values] for name, values in theirs.items()}:
            raise ValueError("the saved memories belong to another algorithm, model, block_bytes or number of workers")
        for name, values in mine.items():
            for memory, saved in zip(values, theirs[name], strict=True):
                memory.copy_(saved)
        self.jump(state["step"])

    def jump(self, step: int) -> None:
        """Go on as step number ``step``, between two steps and on every rank; the memories stay as they are."""
        self.step = step

    def residual_norm(self) -> float | None:
        """Euclidean norm of all error memories of this rank; None where the method keeps none."""
        memories = [m for name, values in self._memories().items() if name.endswith("error") for m in values]
        return sum(float(m.double().square().sum()) for m in memories) ** 0.5 if memories else None

    def compression_error(self) -> float | None:
        """‖v − C(v)‖²/‖v‖² for the gradients now in the parameters, no state changed; None where undefined."""
        return None

    def close(self) -> None:
        """End what ``attach`` started; the model cannot be trained further."""
        return

    def step_kind(self, step: int) -> str:
        """What sort of step number ``step`` is: steps of one sort move the same bytes."""
        return "step"

    @property
    def batches_per_step(self) -> int:
        """Minibatches whose gradients a step accumulates, all but the last under ``no_sync``."""
        return 1

    @classmethod
    def refusal(cls, compressor: Compressor) -> str | None:
        """Why the method does not work with ``compressor``; None where it does."""
        return None

    @abstractmethod
    def planned_payload_bytes(
        self, shapes: Sequence[torch.Size], rank: int, world_size: int, step: int
    ) -> tuple[int, int]:
        """Payload bytes that ``rank`` sends and receives in step ``step`` over parameters of these shapes."""

    @abstractmethod
    def _attached(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Prepare for ``ddp`` with a process group of the algorithm's own."""

    @abstractmethod
    def _reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Start on a bucket; the future's value is the bucket's buffer with the update in place of the gradient."""

    def _before_step(self) -> None:
        """Complete what the hook could not."""
        return

    def _after_step(self) -> None:
        """Communicate what the method communicates after the optimizer's step."""
        return

    def _memories(self) -> dict[str, list[Tensor]]:
        """What outlives a step, by name; the names of error memories end in ``error``."""
        return {}


def _device_of(ddp: DistributedDataParallel) -> torch.device:
    """Where all parameters to train are; ValueError where that is no one place, or where one has another type."""
    named = [(name, parameter) for name, parameter in ddp.module.named_parameters() if parameter.requires_grad]
    device = next((parameter.device for _, parameter in named), torch.device("cpu"))
    for name, parameter in named:
        if parameter.dtype not in DTYPES or parameter.device.type not in ("cpu", "cuda"):
            found = f"{parameter.dtype} on {parameter.device}"
            places = "float32, float16 or bfloat16 on the CPU or a GPU"
            raise ValueError(f"parameter {name} is {found}; every parameter must be {places}")
        if parameter.device != device:
            raise ValueError(
                f"parameter {name} is on {parameter.device}, others are on {device}; put all on one device"
            )
    return device


def _refuse_grad_scaler() -> None:
    """The optimizer does not know who steps it: only the stack does."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == _GRAD_SCALER_FILE:
            scaler = frame.f_locals.get("self")
            if isinstance(scaler, GradScaler) and scaler.is_enabled():
                message = "a GradScaler changes the gradients' scale, and with it the units of what compression keeps"
                raise RuntimeError(f"{message}; train without one, in bfloat16 for instance")
        frame = frame.f_back
