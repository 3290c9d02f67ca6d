"""Compressors import the CPU kernels that they declare, all of them, and not before they compress."""

import subprocess
import sys

import pytest

from liecbench.compressors.kernels import cpu

PROGRAM = """
import sys
import torch
from liecbench.config import registry
compressor = registry.load("compressor", sys.argv[1])()
compressor.payload_bytes(1000)
print(*(name for name in ("numba", "triton") if name in sys.modules))
for name in compressor.cpu_kernels:
    __import__(name)
declared = set(sys.modules)
vector = torch.linspace(-1.0, 1.0, 3000)
message = compressor.compress(vector, torch.empty(3000))
compressor.decompress(message, vector, accumulate=True)
compressor.decompress(message)
compressor.is_finite(message)
print(*(name for name in set(sys.modules) - declared if name.startswith("liecbench")))
"""


@pytest.mark.parametrize("name", ["bf16", "fp16", "identity", "int8", "qsgd", "random_k", "sign", "terngrad", "top_k"])
def test_a_compressor_imports_its_declared_kernels_when_it_compresses(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["", ""]


def test_a_name_that_is_no_kernel_is_no_attribute() -> None:
    assert not hasattr(cpu, "no_such_kernel")
