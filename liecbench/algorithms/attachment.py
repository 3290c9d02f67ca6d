"""The hooks that an algorithm registers on a model and its optimizers, and their removal."""

import warnings
import zlib
from collections.abc import Mapping, Sequence, Set
from types import MethodType
from typing import Any, ClassVar, Protocol

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from liecbench.algorithms.comm.own_group import release_group
from liecbench.algorithms.ddp_hook import DdpHook, Listener, join_hook
from liecbench.algorithms.every_step import watch_every_step
from liecbench.algorithms.optimizers import is_within_step


class StepListener(Listener, Protocol):
    """The interface through which the hooks of a DDP module and its optimizers call an algorithm."""

    device: torch.device
    supports_join: ClassVar[bool]

    def on_step_begin(self) -> None:
        """Called at the start of each ``optimizer.step``."""

    def on_step_end(self, *, is_last: bool) -> None:
        """Called at the end of each ``optimizer.step``.

        ``is_last`` is True if all optimizers have now made their step.
        """

    def on_other_step(self, optimizer: Optimizer) -> None:
        """Called at the end of each step of an optimizer to which the algorithm is not attached."""


class Attachment:
    """The hooks of ``algorithm`` on a model and its optimizers, registered until ``remove``.

    Args:
        algorithm: The algorithm.
        hook: The communication hook of ``ddp``.
        ddp: The model.
        optimizers: Maps each optimizer to the innermost optimizers that it wraps, or to itself if it wraps none.
        group: The process group of the algorithm, which only the algorithm uses. The collectives of this class use the
            group of ``ddp``, because the algorithm may be exchanging messages on another thread, and collectives of two
            threads on one group can come in a different order on each rank and then wait forever.
        managed: The parameters whose gradients ``ddp`` averages.
    """

    def __init__(
        self,
        algorithm: StepListener,
        hook: DdpHook,
        ddp: DistributedDataParallel,
        optimizers: Mapping[Optimizer, Set[Optimizer]],
        group: dist.ProcessGroup,
        managed: Sequence[Parameter],
    ) -> None:
        self._algorithm, self._hook, self._ddp, self._optimizers = algorithm, hook, ddp, optimizers
        self._group, self._managed = group, managed
        self._innermost = frozenset[Optimizer]().union(*optimizers.values())
        self._to_come = set(self._innermost)
        hook.listener = algorithm
        self._handles: list[Any] = [ddp.register_forward_pre_hook(hook)]
        for optimizer in optimizers:
            self._handles.append(optimizer.register_step_pre_hook(lambda *_: self._begin_step()))
            self._handles.append(optimizer.register_step_post_hook(lambda stepped, *_: self._stepped(stepped)))
        self._handles.append(watch_every_step(self._any_stepped))
        if not algorithm.supports_join:
            ddp.__dict__["join_hook"] = MethodType(join_hook, ddp)

    def end_partial_step(self) -> bool:
        """End the current step if only some of the optimizers have made the step.

        Return True if the step was ended, else False.
        """
        is_partial = len(self._to_come) < len(self._innermost)
        self._to_come = set(self._innermost)
        return is_partial

    def parameters(self) -> list[Parameter]:
        """Return the model's parameters."""
        return list(self._ddp.module.parameters())

    def maximum(self, value: Tensor) -> None:
        """Replace ``value``, on every rank, by its largest value over the ranks. Collective."""
        dist.all_reduce(value, dist.ReduceOp.MAX, self._ddp.process_group)

    def average_optimizer_states(self) -> None:
        """Replace the tensors in the optimizers' states, such as momentum, by their mean over ranks. Collective.

        Scalars, such as step counts, and the states of parameters that the model ignores stay as they are. If the
        tensors differ in number or shape between the ranks, warn and change nothing.
        """
        states = [o.state.get(p, {}) for o in self._optimizers for p in self._managed]
        tensors = [
            value
            for state in states
            for value in state.values()
            if isinstance(value, Tensor) and value.is_floating_point() and value.dim()
        ]
        signature = zlib.crc32(str([tensor.shape for tensor in tensors]).encode())
        bounds = torch.tensor([signature, -signature], device=self._algorithm.device)
        self.maximum(bounds)
        if bounds.tolist() != [signature, -signature]:
            warnings.warn("the ranks' optimizers hold different states, which stay local", stacklevel=3)
            return
        for tensor in tensors:
            mean = tensor.contiguous()
            dist.all_reduce(mean, group=self._ddp.process_group)
            tensor.copy_(mean.div_(self._ddp.process_group.size()))

    def remove(self) -> None:
        """Detach the algorithm from the model and the optimizers. The model then trains as plain DDP does."""
        # DDP cannot unregister a communication hook. Without a listener, the hook averages gradients as plain DDP does.
        self._hook.listener = None
        self._ddp.__dict__.pop("join_hook", None)
        for handle in self._handles:
            handle.remove()

    def release(self, *, has_failed: bool) -> None:
        """Release the algorithm's process group.

        A group of all ranks is destroyed. A smaller group is not destroyed. If ``has_failed`` is False, another
        algorithm can use the smaller group later.

        Args:
            has_failed: Whether this algorithm has failed.
        """
        release_group(self._group, self._algorithm.device, has_failed=has_failed)

    def _begin_step(self) -> None:
        if not is_within_step(self._optimizers):
            self._algorithm.on_step_begin()

    def _any_stepped(self, optimizer: Optimizer) -> None:
        if optimizer not in self._optimizers:
            self._algorithm.on_other_step(optimizer)

    def _stepped(self, optimizer: Any) -> None:
        if is_within_step(self._optimizers):
            return
        self._to_come -= self._optimizers[optimizer]
        is_last = not self._to_come
        if is_last:
            self._to_come = set(self._innermost)
        self._algorithm.on_step_end(is_last=is_last)
