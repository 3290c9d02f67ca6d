"""PowerSGD: sends gradient matrices as products of two thin matrices, with error feedback."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, cast

import torch
import torch.distributed as dist
from annotated_types import Ge, Gt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState
from torch.futures import Future
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.all_reduce import BucketedAllReduce
from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.comm.timed_group import TimedGroup
from liecbench.algorithms.comm.worker_thread import CommunicationThread, stream_for
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.algorithms.powersgd_bucket import HookBucket, run_hook
from liecbench.algorithms.powersgd_factors import factor_shapes
from liecbench.algorithms.powersgd_memories import PowerSGDMemories

_BYTES_PER_ELEMENT = torch.float32.itemsize
_EPSILON = 1e-8  # as in the authors' code; with PyTorch's default of 0, a gradient of zeros gives NaN


@dataclass(kw_only=True, eq=False, config=CONFIG)
class PowerSGD(BucketedAllReduce):
    """PowerSGD (Vogels et al. 2019, arXiv:1905.13727), by PyTorch's ``powerSGD_hook``.

    Each worker keeps an error memory. The hook adds the memory to the gradient g. The new memory is this sum minus the
    decompressed mean over workers. So besides the compression error, the memory contains g minus the mean gradient.

    ``counters.compress_seconds`` counts all computing of the hook. On a GPU the hook synchronizes the whole device in
    every step.

    Attributes:
        matrix_approximation_rank: The rank r: instead of a gradient matrix M, two matrices with r columns are sent.
            Parameters that are not compressed are sent as they are.
        start_powersgd_iter: The number of steps at the beginning that send the gradient uncompressed.
        min_compression_rate: M is compressed only if its number of elements, divided by the number of elements of the
            two matrices together, is above this value.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends=(
            "for a gradient matrix M, the rank-r factors P = M Q and Mᵀ P, by all-reduces; vectors, and the first "
            "steps, dense"
        ),
        remembers="every worker its error and the last factors",
        source="PowerSGD (Vogels et al. 2019, arXiv 1905.13727), by PyTorch's `powerSGD_hook`",
        differs="compression begins with the third step, not the 1001st",
    )

    matrix_approximation_rank: Annotated[int, Ge(1)] = 1
    start_powersgd_iter: Annotated[int, Ge(2)] = 2
    min_compression_rate: Annotated[float, Gt(0)] = 2.0

    def step_kind(self, step: int) -> str:
        """Return ``dense`` if ``step`` < ``start_powersgd_iter``, else ``compressed``."""
        return "dense" if step < self.start_powersgd_iter else "compressed"

    @property
    def start_up_steps(self) -> int:
        """The number of uncompressed steps at the start of training: ``start_powersgd_iter``."""
        return self.start_powersgd_iter

    def all_reduce_sizes(self, shapes: Sequence[torch.Size], dtype: torch.dtype, step: int) -> list[int]:
        """Return the size in bytes of each all-reduce that one bucket needs, in order. All are in float32.

        ``shapes`` are those of the bucket's parameters; ``dtype`` has no effect. A dense step all-reduces the
        gradient. A compressed step all-reduces the gradients of the uncompressed parameters, then all matrices P, then
        all matrices Q.
        """
        if self.step_kind(step) == "dense":
            return [_BYTES_PER_ELEMENT * sum(shape.numel() for shape in shapes)]
        thin = [self._thin_shapes(shape) for shape in shapes]
        rest = sum(shape.numel() for shape, pair in zip(shapes, thin, strict=True) if not pair)
        factors = [sum(pair[i].numel() for pair in thin if pair) for i in (0, 1)]
        return [_BYTES_PER_ELEMENT * numel for numel in (rest, *factors)]

    def load_own_state(self, state: Mapping[str, Any]) -> None:
        """Restore the step count, the error memories and the matrices Q from ``state``, which ``own_state`` returned.

        Raises:
            ValueError: If the number or the shapes of the saved tensors do not fit the model and the options. A state
                without saved tensors fits.
        """
        memories = state["memories"]
        nothing: dict[str, list[torch.Size]] = {"error": [], "q": []}
        shapes = {name: [m.shape for m in values] for name, values in memories.items()}
        if shapes not in (self._memories.shapes(), nothing):
            raise ValueError("the saved memories belong to another model or to other options")
        self._start_at(state["step"])
        # States of earlier versions have no memories, or zeros in their place, before the first compressed step.
        if shapes != nothing and state.get("has_memories", True):
            self._memories.load(memories)

    def set_step(self, step: int) -> None:
        """Set the number of the next step. The error memories and the matrices Q stay unchanged.

        Call ``set_step`` on every rank, between two steps.
        """
        super().set_step(step)
        self._state.iter = step

    def on_detach(self) -> None:
        """Stop the communication thread."""
        self._thread.close()

    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Start the communication thread."""
        super().on_attach(ddp, group)
        self._timed_group = TimedGroup(group, self._watch, self._end_timestamp)
        self._start_at(0)
        self._stream = stream_for(self.device)
        self._thread = CommunicationThread(self._stream)

    def _start_at(self, step: int) -> None:
        self.step = step
        parameters = [parameter for _, parameter in self._managed if parameter.numel()]
        self._memories = PowerSGDMemories(parameters, self._thin_shapes, self.device)
        self._state = PowerSGDState(
            process_group=cast("dist.ProcessGroup", self._timed_group),
            matrix_approximation_rank=self.matrix_approximation_rank,
            start_powerSGD_iter=self.start_powersgd_iter,
            min_compression_rate=self.min_compression_rate,
            orthogonalization_epsilon=_EPSILON,
        )
        self._state.iter = step

    def reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Queue a bucket for the communication thread, and return a future of the bucket's update."""
        future: Future[Tensor] = Future(devices=self._stream.devices)
        kept = HookBucket.of(bucket)
        self._thread.submit(lambda: self._reduce(kept, future))
        return future

    def restore_memories(self, parameters: list[Parameter]) -> None:
        """Undo the changes of this step to the error memories of ``parameters``. The matrices Q stay as they are."""
        self._thread.run(lambda: self._memories.restore_errors(parameters))

    def _reduce(self, bucket: HookBucket, future: Future[Tensor]) -> None:
        try:
            self._timed_group.begin()
            if self._failure is None:
                if bucket.position == 0:
                    self._memories.begin_step()
                self._run_hook(bucket.in_float32())
            self._timed_group.end()
        except BaseException as error:
            self._failure = error
        future.set_result(bucket.buffer_of_ddp)

    def _run_hook(self, bucket: HookBucket) -> None:
        state, step = self._state, self._state.iter
        if compressed := self.step_kind(step) == "compressed":
            self._memories.to_hook(state, bucket)
        before = state.total_numel_after_compression
        # Wait for each bucket: with several in flight, the ranks might issue their all-reduces in different orders.
        run_hook(state, bucket)
        if not self._uses_nccl:
            self._stream.wait_for_default_stream()
        numel = state.total_numel_after_compression - before if compressed else bucket.flat.numel()
        self._count(numel * _BYTES_PER_ELEMENT, 3 if compressed else 1, is_last=bucket.last)
        bucket.buffer_of_ddp.copy_(bucket.flat)
        self._check_finite(bucket.buffer_of_ddp, step)
        if compressed and self._failure is None:
            self._memories.from_hook(state, bucket, step)

    def _thin_shapes(self, shape: torch.Size) -> tuple[torch.Size, ...]:
        """Return the shapes of P and Q for a parameter of shape ``shape``; () if the gradient is not compressed."""
        return factor_shapes(shape, self.matrix_approximation_rank, self.min_compression_rate)

    def memories(self) -> dict[str, list[Tensor]]:
        """Return the error memories under ``error`` and the matrices Q under ``q``, in the parameters' order.

        Uncompressed parameters have no Q.
        """
        return self._memories.tensors()
