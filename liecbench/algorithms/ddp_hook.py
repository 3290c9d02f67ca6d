"""The communication hook and the forward hook that connect an algorithm with a DistributedDataParallel module."""

import sys
from types import FrameType
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Variable
from torch.distributed import GradBucket
from torch.distributed.algorithms.join import Join
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel


class Listener(Protocol):
    """The interface through which the hooks of a DistributedDataParallel module call an algorithm."""

    def on_forward(self) -> None:
        """Called before each forward pass."""

    def on_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Start the communication of a gradient bucket, and return the future of its updated buffer."""

    def on_backward_end(self) -> None:
        """Handle the end of a backward pass, after DDP has written the update to the parameters' gradients."""


class DdpHook:
    """The communication hook and forward hook of a module, which pass every call on to ``listener``.

    DDP cannot unregister a communication hook. Without a listener, the hook averages gradients as plain DDP does. A
    copied or pickled module gets a new hook without a listener, so that the copy is a plain DDP module.
    """

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self._group: dist.ProcessGroup | None = None

    @classmethod
    def of(cls, ddp: DistributedDataParallel) -> "DdpHook":
        """Return the hook of ``ddp``, after registering one if there is none.

        Raises:
            ValueError: If ``ddp`` has another communication hook.
        """
        for function, state in ddp._comm_hooks:
            if not isinstance(state, cls):
                raise ValueError(
                    f"the DistributedDataParallel module already has a communication hook, "
                    f"{getattr(function, '__qualname__', function)}; make a new module without it"
                )
            if state._group is not None:
                return state
        hook = cls()
        ddp._comm_hooks.clear()  # of a copied module: its reducer has no hook
        ddp.register_comm_hook(hook, _on_bucket)
        hook._group = ddp.process_group
        return hook

    def __deepcopy__(self, memo: dict[int, Any]) -> "DdpHook":
        return DdpHook()

    def __reduce__(self) -> tuple[type["DdpHook"], tuple[()]]:
        return DdpHook, ()

    def __call__(self, module: torch.nn.Module, inputs: object) -> None:
        """Call ``listener.on_forward``, if there is a listener. DDP calls this hook before each forward pass."""
        if self.listener is not None:
            self.listener.on_forward()

    def run(self, bucket: GradBucket) -> Future[Tensor]:
        """Start the communication of a gradient bucket, and return a future of the bucket's update.

        DDP writes the update to the parameters' gradients. The update is what ``listener.on_bucket`` returns. If there
        is no listener, the update is the mean gradient over the ranks, as in plain DDP.
        """
        if self.listener is None:
            assert self._group is not None, "a hook that runs is registered"
            return _averaged(bucket, self._group)
        if bucket.is_last() and torch._C._current_graph_task_id() != -1:
            # The first callback runs before DDP writes the gradients, and the second after.
            listener = self.listener
            _queue_callback(lambda: _queue_callback(listener.on_backward_end))
        return self.listener.on_bucket(bucket)


def attached_listener(ddp: DistributedDataParallel) -> Listener | None:
    """Return the algorithm that is attached to ``ddp``; None if there is none."""
    hooks = [state for _, state in ddp._comm_hooks if isinstance(state, DdpHook)]
    return next((hook.listener for hook in hooks if hook.listener is not None), None)


def join_hook(ddp: DistributedDataParallel, **options: Any) -> Any:
    """Return DDP's own join hook. An algorithm without ``supports_join`` replaces ``ddp.join_hook`` by this function.

    Args:
        ddp: The DDP module.
        options: The keyword arguments that ``ddp.join()`` passes to the join hook.

    Raises:
        RuntimeError: If an algorithm is attached to ``ddp``, unless ``enable=False`` disables ``join``.
    """
    # A copy of a module keeps this function, but no algorithm is attached to the copy.
    if attached_listener(ddp) is not None and _join_is_enabled():
        raise RuntimeError(
            "the attached liecbench method does not support join(): a rank without further inputs takes no optimizer "
            "steps, and its peers would wait for it; give all ranks the same number of batches, or attach AllReduce"
        )
    return type(ddp).join_hook(ddp, **options)


def _join_is_enabled() -> bool:
    """Return the argument ``enable`` of torch's ``Join`` if called during its constructor, else True."""
    # Read ``enable`` from the call stack, because ``Join`` does not pass it to ``join_hook``.
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is Join.__init__.__code__:
            return bool(frame.f_locals["enable"])
        frame = frame.f_back
    return True


def divide_as_ddp(gradient: Tensor, world_size: int) -> Tensor:
    """Divide the gradient of a bucket by the world size, in place, with the same arithmetic as DDP's default."""
    return gradient.div_(world_size) if gradient.is_sparse else gradient.mul_(1 / world_size)


def _on_bucket(state: DdpHook, bucket: GradBucket) -> Future[Tensor]:
    return state.run(bucket)


def _queue_callback(function: Any) -> None:
    Variable._execution_engine.queue_callback(function)


def _averaged(bucket: GradBucket, group: dist.ProcessGroup) -> Future[Tensor]:
    """Start to average a bucket over the ranks, with the arithmetic of DDP without a hook.

    Return a future of the mean gradient.
    """
    gradient = divide_as_ddp(bucket.buffer(), group.size())
    work = dist.all_reduce(gradient, group=group, async_op=True)
    assert work is not None, "this rank belongs to the group"
    reduced: Future[Tensor] = work.get_future().then(lambda future: future.value()[0])
    return reduced
