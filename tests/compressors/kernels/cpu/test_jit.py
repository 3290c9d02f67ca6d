import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import liecbench

SOURCE = Path(liecbench.__file__).parent
KERNELS = Path("liecbench", "compressors", "kernels", "cpu")
SMALL_KERNEL = """
from liecbench.compressors.kernels.cpu.jit import compiled

@compiled("f4(f4)")
def pack(value):
    return value + value
"""
PROGRAMS = {
    "small": "from liecbench.compressors.kernels.cpu import small; print(small.pack._cache.cache_path)",
    "sign": """
import torch
from liecbench.compressors import Sign
from liecbench.compressors.kernels.cpu import sign
Sign().compress(torch.ones(8))
print(sign.pack._cache.cache_path)
""",
}
programs = pytest.mark.parametrize("program", ["small", pytest.param("sign", marks=pytest.mark.long)])


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The directory of a copy of the package with one more kernel, and nothing cached beside it."""
    copy = tmp_path / "site" / "liecbench"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy.parent / KERNELS / "small.py").write_text(SMALL_KERNEL)
    return copy.parent


def cache_of(program: str, package: Path, home: Path, *, read_only: bool) -> Path:
    """Return the directory in which a kernel of the package is cached, for a user who may be unable to write there."""
    if read_only:
        # numba tries to write: a file in the place of its directory stops even root.
        (package / KERNELS / "__pycache__").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(package), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("XDG_CACHE_HOME", None)
    command = [sys.executable, "-c", PROGRAMS[program]]
    ran = subprocess.run(command, env=environment, cwd=package, capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stderr
    return Path(ran.stdout.strip())


@programs
def test_if_no_cache_can_be_written_kernels_are_cached_while_the_process_runs(
    program: str, package: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("")
    cache = cache_of(program, package, tmp_path / "home", read_only=True)

    assert cache.parent.name.startswith("liecbench-kernels-")
    assert not cache.parent.exists()


@programs
def test_kernels_are_cached_beside_the_source(program: str, package: Path, tmp_path: Path) -> None:
    cache = cache_of(program, package, tmp_path, read_only=False)

    assert cache == package / KERNELS / "__pycache__"
    assert list(cache.glob("*.nbc"))


@programs
def test_kernels_of_a_read_only_package_are_cached_in_the_users_directory(
    program: str, package: Path, tmp_path: Path
) -> None:
    cache = cache_of(program, package, tmp_path, read_only=True)

    assert cache.is_relative_to(tmp_path / ".cache")
    assert list(cache.glob("*.nbc"))
