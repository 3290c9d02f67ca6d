"""Dispatch by device: the one place that chooses the code that compresses a tensor."""

import functools
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from liecbench.compressors.base import Compressor


class Operations(Protocol):
    """The operations of a compressor on tensors of one device; all arguments are on this device.

    For the CPU, the compressor itself implements them. For GPUs, a separate class does, which is constructed with the
    compressor: its methods launch kernels on the current device and do not make the host wait.
    """

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the message of C(v) and, if wanted, the residual, as ``Compressor.encode`` describes."""

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write or add the sum of several messages, as ``Compressor.sum_payloads`` describes."""

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether every element of C(v) is finite, as ``Compressor.all_finite`` describes."""


def operations_for(compressor: "Compressor", tensor: Tensor) -> Operations:
    """Return the operations of ``compressor`` on the device of ``tensor``.

    For a CPU tensor, or if the compressor is ``device_independent``, the compressor itself implements them. For a GPU
    tensor its ``gpu_kernels`` do; if it has none, its CPU operations run on copies in the CPU's memory.
    """
    if compressor.device_independent or is_on_cpu(tensor):
        return compressor
    if compressor.gpu_kernels is None:
        return _ByWayOfCpu(compressor)
    return _operations_class(compressor.gpu_kernels)(compressor)


def is_on_cpu(tensor: Tensor) -> bool:
    """Return whether ``tensor`` is for CPU kernels; tests replace this function to run GPU kernels on CPU tensors."""
    return tensor.device.type == "cpu"


@functools.cache
def _operations_class(reference: str) -> "Callable[[Compressor], Operations]":
    """Import and return the class to which ``reference``, of the form ``module:Class``, refers."""
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
