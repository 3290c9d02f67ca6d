"""Dispatch by device: the one place that chooses what compresses a tensor."""

import functools
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from liecbench.compressors.base import Compressor


class Operations(Protocol):
    """The operations of a compressor on the tensors of one device, on which all arguments are.

    A compressor has them itself, for the CPU. For GPUs a class has them whose instances are made of a compressor; they
    launch kernels on the current device and do not make the host wait for it.
    """

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the message of C(v) and what it leaves out, as ``Compressor.encode`` describes."""

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write or add the sum of several messages, as ``Compressor.sum_payloads`` describes."""

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether every element of C(v) is finite, as ``Compressor.all_finite`` describes."""


def operations_for(compressor: "Compressor", tensor: Tensor) -> Operations:
    """Return the operations of ``compressor`` on the device of ``tensor``.

    They are the compressor's own for CPU tensors, and its GPU kernels for others. A compressor without GPU kernels
    works on copies in the CPU's memory.
    """
    if compressor.device_independent or is_on_cpu(tensor):
        return compressor
    if compressor.gpu_kernels is None:
        return _ByWayOfCpu(compressor)
    return _operations_class(compressor.gpu_kernels)(compressor)


def is_on_cpu(tensor: Tensor) -> bool:
    """Return whether CPU kernels take ``tensor``; tests replace this to try GPU kernels on CPU tensors."""
    return tensor.device.type == "cpu"


@functools.cache
def _operations_class(reference: str) -> "Callable[[Compressor], Operations]":
    """Import the class that ``module:Class`` refers to."""
    module, _, name = reference.partition(":")
    found: Callable[[Compressor], Operations] = getattr(importlib.import_module(module), name)
    return found


@dataclass(frozen=True, slots=True)
class _ByWayOfCpu(Operations):
    """The compressor's own operations on copies in the CPU's memory; the host waits for the GPU."""

    compressor: "Compressor"

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        host, message = vector.to("cpu", copy=True), self.compressor.empty_message(vector.numel())
        self.compressor.encode(host, message.payload, None if residual is None else host)
        payload.copy_(message.payload)
        if residual is not None:
            residual.copy_(host)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        host = out.to("cpu", copy=True)
        self.compressor.sum_payloads([payload.cpu() for payload in payloads], host, accumulate, weight)
        out.copy_(host)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        return self.compressor.all_finite(payload.cpu(), numel).to(payload.device)
