"""Choose the implementation of a compressor's operations, which depends on the device of the tensor."""

import functools
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from liecbench.compressors.base import Compressor


class Operations(Protocol):
    """The operations of a compressor on tensors of one device. All arguments are on this device.

    On the CPU, the compressor itself is the implementation. If the compressor's ``gpu_kernels`` names a class, an
    object of this class is the implementation on GPUs. The object is constructed from the compressor, and launches
    kernels on the current device without making the host wait.
    """

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Compress ``vector``, and write the message to ``payload``.

        Unless ``residual`` is None, also write ``vector`` − C(``vector``) to ``residual``. C(``vector``) is the vector
        that the message decodes to. See ``Compressor.encode``.
        """

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Decode all payloads, and write ``weight`` times the sum of the decoded vectors to ``out``.

        If ``accumulate``, add this product to ``out`` instead. See ``Compressor.sum_payloads``.
        """

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the vector that ``payload`` decodes to is finite, as a boolean tensor of shape [].

        ``numel`` is the number of elements of the vector. See ``Compressor.all_finite``.
        """


def operations_for(compressor: "Compressor", tensor: Tensor) -> Operations:
    """Return the object that encodes, sums and checks messages of ``compressor`` on the device of ``tensor``.

    For a CPU tensor, or if the compressor is ``device_independent``, the object is the compressor itself. For a GPU
    tensor, it is an instance of the class that ``compressor.gpu_kernels`` names. If ``gpu_kernels`` is None, the CPU
    code runs on copies in the CPU's memory.
    """
    if compressor.device_independent or is_on_cpu(tensor):
        return compressor
    if compressor.gpu_kernels is None:
        return _ByWayOfCpu(compressor)
    return _operations_class(compressor.gpu_kernels)(compressor)


def is_on_cpu(tensor: Tensor) -> bool:
    """Return whether CPU kernels handle ``tensor``. Tests replace this function to run GPU kernels on CPU tensors."""
    return tensor.device.type == "cpu"


@functools.cache
def _operations_class(reference: str) -> "Callable[[Compressor], Operations]":
    """Import and return the class that ``reference`` names as ``module:Class``."""
    module, _, name = reference.partition(":")
    found: Callable[[Compressor], Operations] = getattr(importlib.import_module(module), name)
    return found


@dataclass(frozen=True, slots=True)
class _ByWayOfCpu(Operations):
    """Operations on GPU tensors that run the compressor's CPU code on copies in the CPU's memory.

    The host waits for the GPU.
    """

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
