"""Compile the GPU kernels that compressors launch for a Hopper GPU, on any machine, and print their properties.

Run it as a program without Triton's interpreter: ``python -m tests.compressors.kernels.triton.compiled_for_hopper``.
With ``every`` it compiles them in every form; otherwise in the largest one, for aligned vectors.
"""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
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

from liecbench.compressors import QSGD, ChunkedTopK, Compressor, Int4, RandomK, TopK
from liecbench.compressors.kernels import dispatch, triton
from liecbench.compressors.majority_vote import Majority, Votes
from tests.compressors.test_compressors import EVERY
from tests.compressors.vectors import normal

# Compressors that launch the kernels of others with other constants, and those that launch the same kernels.
OTHER_FORMS = {
    str(one)
    for one in [
        RandomK(0.7),
        RandomK(0.1, unbiased=True),
        QSGD(levels=1),
        ChunkedTopK(chunk=16, kept=3),
        Int4(values_per_scale=8),
    ]
}
SAME_FORMS = {
    "BlockSign()",
    *(str(one) for one in [TopK(1.0), QSGD(levels=100), ChunkedTopK(chunk=100, kept=7, bits=32)]),
}


class Hopper:
    """The parts of a driver that Triton uses before it compiles."""

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int = 0) -> int:
        return device

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cpu")


def report(compiled: Any, constants: dict[str, Any]) -> dict[str, Any]:
    """Return the properties that tests check; ``stack_bytes``, to which registers spill, is None without cuobjdump."""
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
    """Return the names of all modules of GPU kernels."""
    return sorted(module.name for module in pkgutil.iter_modules(triton.__path__))


def launchable() -> Iterator[str]:
    """Yield the names of all kernels that no other kernel calls."""
    loaded = [importlib.import_module(f"{triton.__name__}.{name}") for name in modules()]
    functions = {value for module in loaded for value in vars(module).values() if isinstance(value, jit.JITFunction)}
    for function in functions:
        called = re.compile(rf"\b{function.__name__}\b")
        callers = [f for f in functions if function.__module__ == f.__module__ or function.__name__[0] != "_"]
        if not any(called.search(caller.src) for caller in callers if caller is not function):
            yield name_of(function)


def name_of(function: Any) -> str:
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def use(compressor: Compressor, vector: Tensor, *, every_form: bool) -> None:
    """Use the operations of a compressor, with a residual and in sums of 8 messages; or also without, and of one."""
    has_residual = not isinstance(compressor, Votes | Majority)
    message = compressor.compress(vector, torch.empty_like(vector) if has_residual else None)
    compressor.is_finite(message)
    if every_form:
        compressor.compress(vector)
    for count, accumulate in [(8, True), (8, False), (1, False)] if every_form else [(8, True)]:
        # As far from an aligned address as the vector is.
        out = torch.zeros(vector.numel() + 1)[vector.storage_offset() :][: vector.numel()]
        compressor.sum_messages([message] * count, out, accumulate, 1 / 3)


def compiling(run: Callable[..., Any], kernels: dict[str, dict[str, Any]]) -> Callable[..., Any]:
    """Return a ``JITFunction.run`` that compiles and does not run."""

    def compile_only(self: Any, *args: Any, **options: Any) -> Any:
        compiled = run(self, *args, **{**options, "warmup": True})
        name = f"{name_of(self)} {compiled.hash}"
        if name not in kernels:
            kernels[name] = report(compiled, options)
        return compiled

    return compile_only


def main(*, every_form: bool) -> None:
    driver.set_active(Hopper())
    vectors, skipped = {"aligned": [normal(1), normal(5000)]}, SAME_FORMS | OTHER_FORMS
    if every_form:
        vectors["aligned"].append(normal(4096))
        vectors["offset"] = [normal(5000)[1:]]
        skipped = SAME_FORMS
    compressors = [*(one for one in EVERY if str(one) not in skipped), Votes(), Majority()]
    kernels: dict[str, dict[str, dict[str, Any]]] = {place: {} for place in vectors}
    for place, several in vectors.items():
        with (
            mock.patch.object(jit.JITFunction, "run", compiling(jit.JITFunction.run, kernels[place])),
            mock.patch.object(dispatch, "is_on_cpu", return_value=False),
        ):
            for compressor in compressors:
                for vector in several:
                    use(compressor, vector, every_form=every_form)
    print(json.dumps({"modules": modules(), "launchable": sorted(launchable()), "kernels": kernels}))


if __name__ == "__main__":
    main(every_form="every" in sys.argv)
