import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from typing import ClassVar
from unittest import mock

import pytest
import torch
from torch import Tensor

from liecbench.compressors import Compressor
from liecbench.compressors.kernels import dispatch
from tests.compressors.vectors import normal

CALLS: list[str] = []


@dataclasses.dataclass(frozen=True)
class EveryOther(Compressor):
    """C(v) keeps the entries at even positions."""

    def payload_bytes(self, numel: int) -> int:
        return 4 * ((numel + 1) // 2)

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        payload.view(torch.float32).copy_(vector[::2])
        if residual is not None:
            residual.copy_(vector)
            residual[::2] = 0

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        if not accumulate:
            out.zero_()
        out[::2].add_(payload.view(torch.float32), alpha=weight)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        return payload.view(torch.float32).isfinite().all()


@dataclasses.dataclass(frozen=True)
class WithKernels(EveryOther):
    gpu_kernels: ClassVar[str | None] = f"{__name__}:RecordingKernels"


@dataclasses.dataclass(frozen=True)
class Anywhere(EveryOther):
    device_independent: ClassVar[bool] = True


@dataclasses.dataclass(frozen=True)
class RecordingKernels(dispatch.Operations):
    compressor: EveryOther

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        CALLS.append("encode")
        self.compressor.encode(vector, payload, residual)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        CALLS.append("sum_payloads")
        self.compressor.sum_payloads(payloads, out, accumulate, weight)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        CALLS.append("all_finite")
        return self.compressor.all_finite(payload, numel)


def use(compressor: Compressor) -> list[Tensor]:
    """Return what all public operations of a compressor give."""
    vector = normal(9)
    apart, in_place, total = torch.empty(9), vector.clone(), torch.ones(9)
    message = compressor.compress(vector, apart)
    compressor.compress(in_place, in_place)
    compressor.sum_messages([message, message], total, accumulate=True, weight=0.5)
    return [vector, apart, in_place, message.payload, total, compressor.is_finite(message)]


@pytest.mark.parametrize("compressor", [EveryOther(), WithKernels(), Anywhere()], ids=lambda one: type(one).__name__)
def test_off_the_cpu_a_compressor_gives_what_its_own_methods_give(compressor: Compressor) -> None:
    expected = use(EveryOther())

    with mock.patch.object(dispatch, "is_on_cpu", return_value=False):
        actual = use(compressor)

    assert [tensor.tolist() for tensor in expected] == [tensor.tolist() for tensor in actual]


def test_gpu_kernels_take_every_operation_off_the_cpu_and_none_on_it() -> None:
    CALLS.clear()
    use(WithKernels())

    assert CALLS == []

    with mock.patch.object(dispatch, "is_on_cpu", return_value=False):
        use(WithKernels())

    assert CALLS == ["encode", "encode", "sum_payloads", "all_finite"]


def test_compressing_on_the_cpu_does_not_import_triton() -> None:
    program = """
import sys, torch
from liecbench.compressors import Sign, TopK
for compressor in (Sign(), TopK(0.1)):
    compressor.is_finite(compressor.compress(torch.ones(100)))
print([name for name in sys.modules if name.startswith("liecbench.compressors.kernels.triton")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
