"""Run PyTorch's ``powerSGD_hook`` on a copy of a DDP bucket."""

from dataclasses import dataclass, replace
from types import FunctionType, ModuleType, SimpleNamespace
from typing import cast

import torch
from torch import Tensor
from torch.distributed import GradBucket
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook


@dataclass(frozen=True, slots=True)
class HookBucket:
    """A stand-in for a DDP bucket (``GradBucket``), with the functions that ``powerSGD_hook`` calls.

    The stand-in stays valid after DDP has deleted the bucket.

    Attributes:
        buffer_of_ddp: DDP's buffer with the bucket's gradients, later with the update.
        flat: The vector of gradients that the hook overwrites with the update: ``buffer_of_ddp`` or a float32 copy of
            ``buffer_of_ddp``.
        parameters: The bucket's parameters without the empty ones, for which the hook fails.
        position: The number of the bucket in DDP's order, from 0.
        last: True if the bucket is the last of the backward pass.
    """

    buffer_of_ddp: Tensor
    flat: Tensor
    parameters: list[Tensor]
    position: int
    last: bool

    @classmethod
    def of(cls, bucket: GradBucket) -> "HookBucket":
        """Return a HookBucket with the attributes of DDP's ``bucket``.

        No tensor is copied: both ``flat`` and ``buffer_of_ddp`` are DDP's own buffer.
        """
        buffer, parameters = bucket.buffer(), [p for p in bucket.parameters() if p.numel()]
        return cls(buffer, buffer, parameters, bucket.index(), bucket.is_last())

    def in_float32(self) -> "HookBucket":
        """Return a bucket that differs from this bucket only in ``flat``, which is in float32.

        If DDP's buffer is in float32, the returned ``flat`` is this buffer. Otherwise ``flat`` is a converted copy of
        the buffer. Call ``in_float32`` on the communication thread.
        """
        return replace(self, flat=self.buffer_of_ddp.float())

    def index(self) -> int:
        """Return the number of the bucket in DDP's order, from 0."""
        return self.position

    def buffer(self) -> Tensor:
        """Return the gradients of all parameters as one vector. The hook overwrites the vector with the update."""
        return self.flat

    def gradients(self) -> list[Tensor]:
        """Return a view of each parameter's part of ``flat``, in the parameter's shape; ``[1]`` for a scalar."""
        pieces = self.flat.split([parameter.numel() for parameter in self.parameters])
        shapes = [parameter.shape or (1,) for parameter in self.parameters]  # the hook fails for the shape of a scalar
        return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def is_last(self) -> bool:
        """Return True if the bucket is the last of the backward pass."""
        return self.last


def run_hook(state: PowerSGDState, bucket: HookBucket) -> None:
    """Run ``powerSGD_hook`` on ``bucket``, and wait for the future that the hook returns.

    The hook replaces the gradients in ``bucket.flat`` by the update: the mean over workers that PowerSGD computes.
    """
    hook = powerSGD_hook if bucket.flat.is_cuda else _HOOK_ON_CPU
    hook(state, cast("GradBucket", bucket)).wait()


def _hook_on_cpu() -> FunctionType:
    """Return a copy of ``powerSGD_hook`` for buckets on the CPU. The copy runs as on a machine without GPU.

    On a machine with a GPU, ``powerSGD_hook`` synchronizes the bucket's device, which fails if the device is the CPU.
    """
    torch_on_cpu = ModuleType("torch")
    torch_on_cpu.__dict__.update(vars(torch), cuda=SimpleNamespace(is_available=lambda: False))
    hook = cast("FunctionType", powerSGD_hook)
    return FunctionType(hook.__code__, {**hook.__globals__, "torch": torch_on_cpu}, hook.__name__)


_HOOK_ON_CPU = _hook_on_cpu()
