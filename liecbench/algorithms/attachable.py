"""The life of an algorithm in a training loop: attach, forward passes, backward passes, optimizer steps, detach."""

import time
from abc import abstractmethod
from typing import ClassVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import GradBucket
from torch.futures import Future
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from liecbench.algorithms.attachment import Attachment
from liecbench.algorithms.backwards import Backwards
from liecbench.algorithms.comm.exposure import ExposureMeter
from liecbench.algorithms.comm.finite_check import FiniteCheck
from liecbench.algorithms.comm.own_group import acquire_group
from liecbench.algorithms.comm.timing import Clock, Counters, HostClock, Stopwatch, Tracer, clock_for
from liecbench.algorithms.comm.transport import uses_nccl
from liecbench.algorithms.ddp_hook import DdpHook, attached_listener
from liecbench.algorithms.ddp_parameters import managed_parameters
from liecbench.algorithms.optimizers import hooked_optimizers
from liecbench.algorithms.plain_errors import PlainErrors
from liecbench.algorithms.preconditions import (
    refuse_grad_scaler,
    refuse_sparse_gradients,
    require_ddp,
    require_one_device,
)
from liecbench.algorithms.saved_state import Place


class NonFiniteError(FloatingPointError):
    """A gradient is not finite on at least one rank; every rank raises this error in the same step.

    Training cannot continue: the blocks that were exchanged earlier in the step have already updated their memories.
    Over Gloo all memories stay finite. Over NCCL, where the host runs ahead of the GPU, every rank raises the error one
    step later: by then the optimizer has applied the update, and memories may hold values that are not finite.
    """


class Attachable(metaclass=PlainErrors):
    """The part of ``Algorithm`` that joins a training loop.

    Attributes:
        local_models: Whether the workers' models differ between steps.
        supports_sparse: Whether the method exchanges sparse gradients.
        supports_join: Whether the method works with ``ddp.join()``.
        is_exact: Whether the update is the mean gradient, so that two synchronized backward passes add up.
    """

    local_models: ClassVar[bool] = False
    supports_sparse: ClassVar[bool] = False
    supports_join: ClassVar[bool] = False
    is_exact: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.counters = Counters()
        self.device = torch.device("cpu")
        self.clock: Clock = HostClock()
        self.last_bucket_timestamp = self.clock.timestamp()
        self.after_step_seconds = self.hook_cpu_seconds = 0.0
        self.exposure = ExposureMeter()
        self.tracer = Tracer()
        self._failure: BaseException | None = None
        self._finite_check = FiniteCheck(is_async=False)
        self._is_stepping = False
        self._attachment: Attachment | None = None
        self._place: Place | None = None
        self._optimizers: list[Optimizer] = []
        self._managed: list[tuple[str, Parameter]] = []  # the names and parameters whose gradients the model averages

    def attach(self, ddp: nn.Module, optimizer: object) -> None:
        """Register as the communication hook of ``ddp``; the training loop needs no change. Collective.

        A method that compresses 16-bit gradients first converts them to float32; all memories are float32. If an error
        is raised, nothing has been registered.

        Args:
            ddp: The DistributedDataParallel module, with all parameters on the CPU or on one GPU; may be compiled.
            optimizer: The optimizer of the model's parameters, an object that wraps it, or a list of optimizers. With a
                list, ``after_step`` is called when the last of them has made its step, or before the next forward pass
                in training.

        Raises:
            TypeError: If ``ddp`` is not a DistributedDataParallel module, or ``optimizer`` is no torch optimizer.
            ValueError: If a parameter has an unsupported type, device or layout of gradients, if the optimizer has no
                parameter of the model, or if ``ddp`` has another communication hook.
            RuntimeError: If ``ddp`` or this object is attached already. Also raised later, in ``optimizer.step``, if an
                enabled GradScaler calls it: the scaler changes the scale of the gradients, so that the memories would
                be in other units than the gradients.
        """
        if self._attachment is not None:
            raise RuntimeError(f"this {type(self).__name__} is attached already; call detach() first, or make another")
        module = require_ddp(ddp)
        if (other := attached_listener(module)) is not None:
            raise RuntimeError(f"the model has a {type(other).__name__} attached; call its detach() first")
        named = managed_parameters(module)
        managed = [parameter for _, parameter in named]
        optimizers = hooked_optimizers(optimizer, managed)
        if not self.supports_sparse:
            refuse_sparse_gradients(module, named, type(self).__name__)
        self.device = require_one_device(named)
        hook = DdpHook.of(module)
        self.clock = clock_for(self.device)
        group = acquire_group(module.process_group, self.device)
        self._place = Place.of(group)
        self._failure = None
        self._finite_check = FiniteCheck(is_async=uses_nccl(self.device, group))
        self._optimizers = list(frozenset[Optimizer]().union(*optimizers.values()))
        self._managed = named
        self._backwards = Backwards(module, managed)
        self.on_attach(module, group)
        self._attachment = Attachment(self, hook, module, optimizers, group, managed)

    @abstractmethod
    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Prepare for training ``ddp``, which ``attach`` has checked.

        Args:
            ddp: The model.
            group: The algorithm's own process group, with the same ranks as the group of ``ddp``.
        """

    @abstractmethod
    def reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Start the communication of one of DDP's gradient buckets.

        Args:
            bucket: A bucket, whose buffer holds this rank's gradients of some parameters.

        Returns:
            A future of the bucket's buffer, in which the update has replaced the gradients. If an error occurs, store
            the error in ``self._failure``, which ``optimizer.step`` raises, and complete the future all the same.
        """

    def before_step(self) -> None:
        """Complete the update of the gradients. Called at the start of ``optimizer.step``, before it reads them."""
        return

    def restore_memories(self, parameters: list[Parameter]) -> None:
        """Set the memories of ``parameters`` to the values that they had before the step. Called after a backward pass.

        No rank used these parameters, so their gradients are left unchanged, and DDP drops the update.
        """
        return

    def on_detach(self) -> None:
        """Release what ``on_attach`` created, except the process group."""
        return

    def after_step(self) -> None:
        """Communicate if the method needs to, for instance to average the models. Called after ``optimizer.step``."""
        return

    def synchronize(self) -> None:
        """Wait for the GPU, if there is one, and complete the counters, seconds and spans of all past steps.

        Call it between two steps.

        Raises:
            NonFiniteError: If a gradient of a past step is not finite.
        """
        self._raise_non_finite(self._finite_check.finish())
        self.clock.synchronize()

    def clip_grad_norm_(self, max_norm: float, norm_type: float = 2.0) -> Tensor:
        """Scale the gradients on all ranks by one factor, so that no rank's norm exceeds ``max_norm``. Collective.

        If all ranks have the same gradients after the backward pass, ``torch.nn.utils.clip_grad_norm_`` does the same.
        With local models, or parameters that the model ignores, they differ, and torch's function would scale each by a
        factor of its own.

        Args:
            max_norm: The largest norm.
            norm_type: The order of the norm.

        Returns:
            The largest norm of all ranks before the scaling, of shape ``[]``.
        """
        attachment = self._require_attached("clip_grad_norm_")
        gradients = [p.grad for p in attachment.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients, norm_type).float().to(self.device)
        attachment.maximum(norm)
        torch.nn.utils.clip_grads_with_norm_(attachment.parameters(), max_norm, norm)
        return norm

    def average_models(self) -> None:
        """Replace local models by their mean, if the method has any. Collective."""
        return

    def detach(self) -> None:
        """Turn the model and the optimizer back into those of plain DDP, as before ``attach``. Collective.

        Local models and their optimizers' states, such as momentum, are averaged, because plain DDP takes all models
        for equal. If the algorithm is not attached, do nothing.
        """
        if self._attachment is not None and self._failure is None:
            self.average_models()
            self.synchronize()
            if self.local_models:
                self._attachment.average_optimizer_states()
        self.close()

    def close(self) -> None:
        """End the algorithm as ``detach`` does, but leave local models as they are. Collective.

        Call it at the end of a training.
        """
        if self._attachment is not None:
            attachment, self._attachment = self._attachment, None
            attachment.remove()
            self.on_detach()
            attachment.release(has_failed=self._failure is not None)

    def on_forward(self) -> None:
        """Raise the error of an earlier step, if there was one. Called before each forward pass of the model."""
        # A training loop may skip ``optimizer.step``, which raises errors, as it does with a GradScaler.
        self._raise_failure()
        if torch.is_grad_enabled() and self._attachment is not None:
            self._backwards.begin_forward(type(self).__name__, warn=not self.is_exact)
            if self._attachment.end_partial_step():
                self._end_step()

    def on_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Start the communication of a bucket, as ``reduce_bucket`` does, and time it."""
        began = time.thread_time()
        self.last_bucket_timestamp = self.clock.timestamp()
        self._backwards.keep(bucket)
        future = self.reduce_bucket(bucket)
        self.hook_cpu_seconds += time.thread_time() - began
        return future

    def on_backward_end(self) -> None:
        """Restore the gradients and memories of parameters that no rank used: plain DDP leaves them unchanged, too."""
        if unused := self._backwards.end():
            self.restore_memories(unused)
        if self._is_stepping:  # the optimizer reads the gradients next
            self._raise_failure()

    def on_step_begin(self) -> None:
        """Complete the update of the gradients; called at the start of each ``optimizer.step``."""
        began = time.thread_time()
        refuse_grad_scaler()
        self._raise_failure()
        self._raise_non_finite(self._finite_check.end_step())
        self.before_step()
        self._is_stepping = True
        self.hook_cpu_seconds += time.thread_time() - began

    def on_step_end(self, *, is_last: bool) -> None:
        """Communicate after a step; called at the end of ``optimizer.step``.

        Args:
            is_last: Whether all optimizers have now made their step.
        """
        self._is_stepping = False
        self._backwards.clear()
        if is_last:
            self._end_step()

    def _end_step(self) -> None:
        began, start = time.thread_time(), self.clock.timestamp()
        self.after_step()
        self.clock.record(start, self.clock.timestamp(), self._count_after_step)
        self.hook_cpu_seconds += time.thread_time() - began

    def _count_after_step(self, begin: float, end: float) -> None:
        self.after_step_seconds += end - begin
        self.exposure.add_window(begin, end)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _raise_non_finite(self, message: str | None) -> None:
        if message is not None:
            self._failure = NonFiniteError(message)
            raise self._failure

    @property
    def is_attached(self) -> bool:
        """True while the algorithm is attached to a model."""
        return self._attachment is not None

    def _require_attached(self, call: str) -> Attachment:
        if self._attachment is None:
            raise self._not_attached(call)
        return self._attachment

    def _require_place(self, call: str) -> Place:
        if self._place is None:
            raise self._not_attached(call)
        return self._place

    def _not_attached(self, call: str) -> RuntimeError:
        return RuntimeError(f"{type(self).__name__} is not attached; call attach(ddp, optimizer) before {call}()")

    def _stopwatch(self) -> Stopwatch:
        return Stopwatch(self.counters, self.tracer, self.clock, self.exposure)
