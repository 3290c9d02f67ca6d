"""The callbacks of an algorithm, which run at forward passes, backward passes and optimizer steps."""

import time
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributed import GradBucket
from torch.futures import Future
from torch.nn import Parameter
from torch.optim import Optimizer

from liecbench.algorithms.attachment import Attachment
from liecbench.algorithms.backwards import Backwards
from liecbench.algorithms.clipping_watch import ClippingWatch
from liecbench.algorithms.comm.exposure import ExposureMeter
from liecbench.algorithms.comm.finite_check import FiniteCheck
from liecbench.algorithms.comm.timing import Clock, Counters, HostClock, Stopwatch, Tracer
from liecbench.algorithms.preconditions import refuse_grad_scaler


class NonFiniteError(FloatingPointError):
    """A gradient, a model or a loss is not finite on at least one rank. Every rank raises this error in the same step.

    The message has the number of the step, counted from 0. Training cannot continue, because the step may have updated
    some of the algorithm's memories, such as error memories. Over Gloo, the memories hold only finite values. Over
    NCCL, the error comes one step late: the optimizer has applied the update, and the memories may hold values that are
    not finite.
    """


class TrainingEvents(ABC):
    """The part of ``Algorithm`` that the hooks of a model and of the model's optimizers call.

    Attributes:
        is_exact: True if the method replaces each gradient by the mean over all ranks, apart from rounding (such as a
            cast to float16). If False, the algorithm warns, at most once, if gradients are exchanged a second time
            before the optimizer's step.
    """

    is_exact: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.device = torch.device("cpu")
        self.clock: Clock = HostClock()
        self.last_bucket_timestamp = self.clock.timestamp()
        self.tracer = Tracer()
        self._attachment: Attachment | None = None
        self._backwards: Backwards
        self._clipping: ClippingWatch
        self._num_evaluations = 0  # the number of ``with`` blocks of ``evaluation`` in which the program is
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Forget the steps of an earlier training."""
        self.counters = Counters()
        self.after_step_seconds = self.hook_cpu_seconds = 0.0
        self.exposure = ExposureMeter()
        self._failure: BaseException | None = None
        self._finite_check = FiniteCheck(is_async=False)
        self._is_stepping = False

    @abstractmethod
    def reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Start the communication of one of DDP's gradient buckets.

        Args:
            bucket: A bucket, whose buffer holds this rank's gradients of some parameters.

        Returns:
            A future that completes with the bucket's buffer when the gradients in it have become the algorithm's
            update. The future completes after an error, too: an implementation stores the error in ``self._failure``,
            and ``optimizer.step`` raises it.
        """

    def before_step(self) -> None:
        """Do what must be done before ``optimizer.step`` reads the gradients; by default nothing."""
        return

    def restore_memories(self, parameters: list[Parameter]) -> None:
        """Undo the changes of this backward pass to the memories of ``parameters``, such as error memories.

        Called after a backward pass in which no rank used these parameters. DDP drops the update of such parameters,
        and leaves their gradients unchanged.
        """
        return

    def after_step(self) -> None:
        """Communicate if the method needs to, for instance to average the models. Called after ``optimizer.step``."""
        return

    def synchronize(self) -> None:
        """Wait for the GPU, if there is one, and complete the counts and measured times of all past steps.

        Call it between two steps.

        Raises:
            NonFiniteError: If a gradient of a past step is not finite.
        """
        self._raise_non_finite(self._finite_check.finish())
        self.clock.synchronize()

    def complete_spans(self) -> None:
        """Wait until ``tracer`` has the spans (timed pieces of work) of all past steps.

        Do not wait for the spans of messages that are still under way in the background.
        """
        self.synchronize()

    def on_forward(self) -> None:
        """Raise the error of an earlier exchange, if there was one. Called before each forward pass of the model.

        If gradients are enabled, check how the training loop uses the model (``Backwards.begin_forward``), and end a
        step that only some of the model's optimizers have made.
        """
        # A training loop may skip ``optimizer.step``, which raises errors, as it does with a GradScaler.
        self._raise_failure()
        if torch.is_grad_enabled() and self._attachment is not None:
            self._backwards.begin_forward(type(self).__name__, warn=not self.is_exact)
            if self._attachment.end_partial_step():
                self._end_step()

    def on_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Start the communication of one of DDP's gradient buckets, and count the CPU seconds that this call takes.

        Return a future of the bucket's update.
        """
        began = time.thread_time()
        self.last_bucket_timestamp = self.clock.timestamp()
        self._backwards.keep(bucket)
        future = self.reduce_bucket(bucket)
        self.hook_cpu_seconds += time.thread_time() - began
        return future

    def on_backward_end(self) -> None:
        """Restore the gradients and memories of parameters that no rank used in the backward pass that just ended.

        The gradients then have their values from before the pass. Plain DDP also leaves the gradients of unused
        parameters unchanged. ``restore_memories`` undoes the pass's changes to memories, such as error memories.

        If the pass ran in a closure inside ``optimizer.step``, and an exchange has failed, raise the exchange's error.
        """
        if unused := self._backwards.end():
            self.restore_memories(unused)
        self._clipping.keep()
        if self._is_stepping:  # the optimizer reads the gradients next
            self._raise_failure()

    def on_step_begin(self) -> None:
        """Raise the error of an earlier exchange, if there was one. Otherwise call ``before_step``.

        Called at the start of each ``optimizer.step``.

        Raises:
            NonFiniteError: If a gradient is not finite.
            RuntimeError: If an enabled GradScaler calls ``optimizer.step``, or if the call is inside ``evaluation``
                and follows a backward pass that exchanged gradients.
        """
        began = time.thread_time()
        refuse_grad_scaler()
        self._raise_failure()
        if self._num_evaluations and self._backwards.has_update:
            raise RuntimeError(
                "optimizer.step was called inside evaluation(), whose model is not the one that is trained and may be "
                "replaced at the end of the with block; end the block before the next training step"
            )
        self._backwards.warn_of_unfrozen()
        self._clipping.check()
        self._raise_non_finite(self._finite_check.end_step())
        self.before_step()
        self._is_stepping = True
        self.hook_cpu_seconds += time.thread_time() - began

    def on_step_end(self, *, is_last: bool) -> None:
        """Call ``after_step`` if ``is_last``.

        Called at the end of each ``optimizer.step``. Also warn, once, if the step used gradients although no bucket was
        ever exchanged.

        Args:
            is_last: True if all of the model's optimizers have now made their step.
        """
        self._is_stepping = False
        self._backwards.warn_if_none(type(self).__name__)
        self._backwards.clear()
        if is_last:
            self._end_step()

    def on_other_step(self, optimizer: Optimizer) -> None:
        """Warn, once, if ``optimizer``, which was not given to ``attach``, steps where an attached one should.

        Called at the end of each step of an optimizer to which the algorithm is not attached.
        """
        if not self._is_stepping:  # else an attached optimizer wraps it
            self._backwards.warn_of_other(optimizer, type(self).__name__)

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

    def _stopwatch(self) -> Stopwatch:
        return Stopwatch(self.counters, self.tracer, self.clock, self.exposure)
