"""Compiles every GPU kernel that compressors launch for a Hopper GPU, which takes none, and prints what came out.

Run as a program without Triton's interpreter: ``python -m tests.compressors.compiled_for_gpu``.
"""

import json
import re
from typing import Any
from unittest import mock

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver, jit

from liecbench.compressors import base
from tests.compressors.test_compressors import EVERY
from tests.compressors.vectors import normal


class Hopper:
    """What Triton asks of a driver before it compiles."""

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int = 0) -> int:
        return device

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cpu")


def main() -> None:
    kernels: dict[str, dict[str, Any]] = {}
    run = jit.JITFunction.run

    def compile_only(self: Any, *args: Any, **options: Any) -> Any:
        kernel = run(self, *args, **{**options, "warmup": True})
        ptx = kernel.asm["ptx"]
        kernels[f"{self.__module__}.{self.__name__} {kernel.hash}"] = {
            "fused": len(re.findall(r"\bfma\.rn\.f(32|64)", ptx)),
            "flushed": len(re.findall(r"\.ftz\b", ptx)),
            "machine_code_bytes": len(kernel.asm["cubin"]),
        }
        return kernel

    driver.set_active(Hopper())
    vector = normal(5000)
    with (
        mock.patch.object(jit.JITFunction, "run", compile_only),
        mock.patch.object(base, "on_host", return_value=False),
    ):
        for compressor in EVERY:
            message = compressor.compress(vector, torch.empty_like(vector))
            compressor.compress(vector)
            compressor.finite_flag(message)
            for accumulate in (False, True):
                compressor.add_up([message, message], torch.zeros(5000), accumulate, 1 / 3)
    print(json.dumps(kernels))


if __name__ == "__main__":
    main()
