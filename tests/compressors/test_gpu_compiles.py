"""What Triton makes of the kernels for a Hopper GPU: only compiled, not run."""

import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

pytest.importorskip("triton")

PLACES = ["aligned", "offset"]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    own = {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("triton"))}
    command = [sys.executable, "-m", "tests.compressors.compiled_for_gpu"]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("place", PLACES)
def test_every_kernel_of_every_module_compiles(compiled: dict[str, Any], place: str) -> None:
    launched = {name.split()[0] for name in compiled[place]}
    # What these have is for kernels to call.
    called = {"blocks_gpu", "rounding_gpu", "sums_gpu"}

    assert compiled["launchable"] == sorted(launched)
    assert set(compiled["modules"]) == {name.partition(".")[0] for name in launched} | called
    assert all(kernel["machine_code_bytes"] > 0 for kernel in compiled[place].values())


@pytest.mark.parametrize("place", PLACES)
def test_kernels_round_as_the_cpu_does(compiled: dict[str, Any], place: str) -> None:
    """A multiplication fused with an addition rounds once, and one that flushes denormals loses them."""
    others = {name: kernel for name, kernel in compiled[place].items() if kernel["fused"] or kernel["flushed"]}

    assert others == {}


@pytest.mark.parametrize("place", PLACES)
def test_no_kernel_spills_registers(compiled: dict[str, Any], place: str) -> None:
    stacks = {name: kernel["stack_bytes"] for name, kernel in compiled[place].items()}
    if None in stacks.values():
        pytest.skip("this Triton comes without cuobjdump")

    assert dict.fromkeys(stacks, 0) == stacks


def test_whole_blocks_of_aligned_vectors_are_read_and_written_four_values_at_once(compiled: dict[str, Any]) -> None:
    families = ("sign_gpu", "int8_gpu", "casts_gpu", "trits_gpu", "terngrad_gpu", "qsgd_gpu")
    for name, kernel in compiled["aligned"].items():
        module, function = name.split()[0].split(".")
        constants = kernel["constants"]
        if module in families and (function == "_compress" or constants.get("accumulate", function == "_pack")):
            assert kernel["wide_loads"] > 0, name
        if module in families and ("accumulate" in constants or constants.get("keep")):
            assert kernel["wide_stores"] > 0, name


def test_no_kernel_is_compiled_anew_for_another_length(compiled: dict[str, Any]) -> None:
    options = [(name.split()[0], json.dumps(kernel["constants"])) for name, kernel in compiled["aligned"].items()]

    # Where the bytes of positions begin depends on how many there are.
    again = {name for (name, _), times in Counter(options).items() if times > 1 and not name.startswith("positions_")}
    assert again == set()
