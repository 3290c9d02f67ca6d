import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("setup", "expected"),
    [("", "CPU kernels True"), ("sys.modules['numba'] = None", "CPU kernels False they cannot be compiled")],
    ids=["works", "no numba"],
)
def test_the_cpu_kernels_are_run(setup: str, expected: str) -> None:
    command = (
        f"import sys; from liecbench.diagnostics.doctor import examine\n{setup}\n"
        "last = list(examine())[-1]\n"
        "print(last.name, last.works, last.seen)"
    )

    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1].startswith(expected)
