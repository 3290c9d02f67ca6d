import json
import os
import subprocess
import sys
from pathlib import Path


def test_every_kernel_compiles_for_a_gpu_and_rounds_as_the_cpu_does(tmp_path: Path) -> None:
    """A multiplication fused with an addition rounds once, and one that flushes denormals loses them."""
    own = {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "tests.compressors.compiled_for_gpu"]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kernels = json.loads(done.stdout)

    modules = {name.split()[0].rpartition(".")[0].rpartition(".")[2] for name in kernels}
    assert {"selection_gpu", "positions_gpu", "random_k_gpu", "casts_gpu"} <= modules
    for name, kernel in kernels.items():
        assert (kernel["fused"], kernel["flushed"]) == (0, 0), name
        assert kernel["machine_code_bytes"] > 0, name
