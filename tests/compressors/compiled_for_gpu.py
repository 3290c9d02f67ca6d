"""Compiles every GPU kernel that compressors launch for a Hopper GPU, which takes none, and prints what came out.

Run as a program without Triton's interpreter: ``python -m tests.compressors.compiled_for_gpu``.
"""

import importlib
import json
import pkgutil
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from triton import knobs
from triton.backends.compiler import GPUTarget
from triton.runtime import driver, jit

from liecbench import compressors
from liecbench.compressors import base
from liecbench.compressors.votes import Majority, Votes
from tests.compressors.test_compressors import EVERY
from tests.compressors.vectors import normal

# Of several that launch the same kernels one.
SKIPPED = {"BlockSign()", "TopK(ratio=1.0)", "QSGD(levels=100, seed=0)", "Rounds(compressor=Sign(), rounds=2)"}


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


def report(compiled: Any, constants: dict[str, Any]) -> dict[str, Any]:
    """What the tests ask about a kernel; ``stack_bytes``, where registers are spilled, is None without its tool."""
    ptx = compiled.asm["ptx"]
    return {
        "constants": {name: value for name, value in constants.items() if isinstance(value, int)},
        "fused": len(re.findall(r"\bfma\.rn\.f(32|64)", ptx)),
        "flushed": len(re.findall(r"\.ftz\b", ptx)),
        "wide_loads": len(re.findall(r"\bld\.global\.v4\.b32", ptx)),
        "wide_stores": len(re.findall(r"\bst\.global\.v4\.b32", ptx)),
        "machine_code_bytes": len(compiled.asm["cubin"]),
        "stack_bytes": stack_bytes(compiled.asm["cubin"]),
    }


def stack_bytes(machine_code: bytes) -> int | None:
    try:
        tool = knobs.nvidia.cuobjdump.path
    except RuntimeError:
        return None
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "kernel.cubin"
        path.write_bytes(machine_code)
        usage = subprocess.run([tool, "--dump-resource-usage", path], capture_output=True, text=True, check=True)
    return sum(map(int, re.findall(r"\bSTACK:(\d+)", usage.stdout)))


def modules() -> list[str]:
    """Every module of GPU kernels."""
    return sorted(module.name for module in pkgutil.iter_modules(compressors.__path__) if module.name.endswith("_gpu"))


def launchable() -> Iterator[str]:
    """Every kernel that no other calls."""
    loaded = [importlib.import_module(f"liecbench.compressors.{name}") for name in modules()]
    functions = {value for module in loaded for value in vars(module).values() if isinstance(value, jit.JITFunction)}
    for function in functions:
        called = re.compile(rf"\b{function.__name__}\b")
        callers = [f for f in functions if function.__module__ == f.__module__ or function.__name__[0] != "_"]
        if not any(called.search(caller.src) for caller in callers if caller is not function):
            yield name_of(function)


def name_of(function: Any) -> str:
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def use(compressor: base.Compressor, vector: Tensor) -> None:
    """All that is asked of a compressor, with as many messages as a launch takes and with one."""
    keeps = not isinstance(compressor, Votes | Majority)
    message = compressor.compress(vector, torch.empty_like(vector) if keeps else None)
    compressor.compress(vector)
    compressor.finite_flag(message)
    for count, accumulate in [(8, False), (8, True), (1, False)]:
        # As far from an aligned address as the vector is.
        out = torch.zeros(vector.numel() + 1)[vector.storage_offset() :][: vector.numel()]
        compressor.sum_messages([message] * count, out, accumulate, 1 / 3)


def compiling(run: Callable[..., Any], kernels: dict[str, dict[str, Any]]) -> Callable[..., Any]:
    """``JITFunction.run`` that compiles and does not run."""

    def compile_only(self: Any, *args: Any, **options: Any) -> Any:
        compiled = run(self, *args, **{**options, "warmup": True})
        name = f"{name_of(self)} {compiled.hash}"
        if name not in kernels:
            kernels[name] = report(compiled, options)
        return compiled

    return compile_only


def main() -> None:
    driver.set_active(Hopper())
    vectors = {"aligned": [normal(1), normal(4096), normal(5000)], "offset": [normal(5000)[1:]]}
    kernels: dict[str, dict[str, dict[str, Any]]] = {place: {} for place in vectors}
    for place, several in vectors.items():
        with (
            mock.patch.object(jit.JITFunction, "run", compiling(jit.JITFunction.run, kernels[place])),
            mock.patch.object(base, "on_host", return_value=False),
        ):
            for compressor in [*(one for one in EVERY if str(one) not in SKIPPED), Votes(), Majority()]:
                for vector in several:
                    use(compressor, vector)
    print(json.dumps({"modules": modules(), "launchable": sorted(launchable()), **kernels}))


if __name__ == "__main__":
    main()
