"""Compressors import the CPU kernels that they declare, all of them, and not before they compress."""

import subprocess
import sys

from liecbench.compressors.kernels import cpu

PROGRAM = """
import os, sys
import torch
from liecbench.config import registry


def imported(name):
    compressor = registry.load("compressor", name)()
    compressor.payload_bytes(1000)
    early = [name for name in ("numba", "triton") if name in sys.modules]
    for module in compressor.cpu_kernels:
        __import__(module)
    declared = set(sys.modules)
    vector = torch.linspace(-1.0, 1.0, 3000)
    message = compressor.compress(vector, torch.empty(3000))
    compressor.decompress(message, vector, accumulate=True)
    compressor.decompress(message)
    compressor.is_finite(message)
    return *early, *(name for name in set(sys.modules) - declared if name.startswith("liecbench"))


for name in sys.argv[1:]:  # in a child each, which has imported torch but no kernel
    if os.fork() == 0:
        print(name, *imported(name), flush=True)
        os._exit(0)
    os.wait()
"""
NAMES = (
    "bf16",
    "chunked_top_k",
    "fp16",
    "identity",
    "int4",
    "int8",
    "qsgd",
    "random_k",
    "sign",
    "sign_l2",
    "terngrad",
    "top_k",
)


def test_a_compressor_imports_its_declared_kernels_when_it_compresses() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *NAMES], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == list(NAMES)


def test_a_name_that_is_no_kernel_is_no_attribute() -> None:
    assert not hasattr(cpu, "no_such_kernel")
