"""Properties of the GPU kernels as Triton compiles them for a Hopper GPU; nothing runs on a GPU."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("triton")

FORMS = ["usual", pytest.param("every", marks=pytest.mark.long)]
# Modules with kernels that only other kernels call, and modules without kernels.
CALLED, WITHOUT = {"blocks", "group_levels", "rounding", "summation"}, {"identity", "top_k"}


@pytest.fixture(scope="module", params=FORMS)
def compiled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Any]:
    own = {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("triton"))}
    command = [sys.executable, "-m", "tests.compressors.kernels.triton.compiled_for_hopper", request.param]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def kernels(compiled: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, found in compiled["kernels"].items():
        yield from ((f"{place}: {name}", kernel) for name, kernel in found.items())


def test_every_kernel_of_every_module_compiles(compiled: dict[str, Any]) -> None:
    for found in compiled["kernels"].values():
        launched = {name.split()[0] for name in found}

        assert compiled["launchable"] == sorted(launched)
        assert set(compiled["modules"]) == {name.partition(".")[0] for name in launched} | CALLED | WITHOUT
        assert all(kernel["machine_code_bytes"] > 0 for kernel in found.values())


def test_kernels_round_as_the_cpu_does(compiled: dict[str, Any]) -> None:
    """A fused multiplication and addition would round once, and flushing would lose denormal values."""
    assert {name: kernel for name, kernel in kernels(compiled) if kernel["fused"] or kernel["flushed"]} == {}


def test_no_kernel_spills_registers(compiled: dict[str, Any]) -> None:
    stacks = {name: kernel["stack_bytes"] for name, kernel in kernels(compiled)}
    if None in stacks.values():
        pytest.skip("this Triton comes without cuobjdump")

    assert dict.fromkeys(stacks, 0) == stacks


def test_whole_blocks_of_aligned_vectors_are_read_and_written_four_values_at_once(compiled: dict[str, Any]) -> None:
    families = ("sign", "int4", "int8", "half_precision", "ternary", "terngrad", "qsgd")
    found = [
        (name, kernel) for name, kernel in compiled["kernels"]["aligned"].items() if name.split(".")[0] in families
    ]
    assert {name.split(".")[0] for name, _ in found} == set(families)
    for name, kernel in found:
        constants, function = kernel["constants"], name.split()[0].split(".")[1]
        if function == "_encode" or constants.get("accumulate", function == "_pack"):
            assert kernel["wide_loads"] > 0, name
        if "accumulate" in constants or constants.get("has_residual"):
            assert kernel["wide_stores"] > 0, name


def test_no_kernel_is_compiled_anew_for_another_length(compiled: dict[str, Any]) -> None:
    aligned = compiled["kernels"]["aligned"].items()
    options = [(name.split()[0], json.dumps(kernel["constants"])) for name, kernel in aligned]

    # The alignment of the bitmap depends on the number of positions.
    again = {name for (name, _), times in Counter(options).items() if times > 1 and not name.startswith("elias_fano.")}
    assert again == set()
