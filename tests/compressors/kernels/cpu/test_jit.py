import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import liecbench

SOURCE = Path(liecbench.__file__).parent
PROGRAM = """
import torch
from liecbench.compressors import Sign
from liecbench.compressors.kernels.cpu import sign as sign_cpu
Sign().compress(torch.ones(8))
print(sign_cpu.pack._cache.cache_path)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package without anything cached beside it."""
    copy = tmp_path / "site" / "liecbench"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy.parent


def cache_of(package: Path, home: Path, *, read_only: bool) -> Path:
    """Where the kernels of a package are cached, by a user who may be unable to write there."""
    if read_only:
        # numba asks by writing: a file where its directory would be refuses root, too.
        for directory in [package / "liecbench" / "compressors"]:
            (directory / "__pycache__").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(package), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("XDG_CACHE_HOME", None)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=package, capture_output=True, text=True, timeout=200
    )
    assert ran.returncode == 0, ran.stderr
    return Path(ran.stdout.strip())


def test_where_neither_can_be_written_they_are_cached_for_the_run(package: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    cache = cache_of(package, tmp_path / "home", read_only=True)

    assert cache.parent.name.startswith("liecbench-kernels-")
    assert not cache.parent.exists()


def test_kernels_are_cached_beside_the_source(package: Path, tmp_path: Path) -> None:
    cache = cache_of(package, tmp_path, read_only=False)

    assert cache == package / "liecbench" / "compressors" / "__pycache__"
    assert list(cache.glob("*.nbc"))


def test_kernels_of_a_read_only_package_are_cached_in_the_users_directory(package: Path, tmp_path: Path) -> None:
    cache = cache_of(package, tmp_path, read_only=True)

    assert cache.is_relative_to(tmp_path / ".cache")
    assert list(cache.glob("*.nbc"))
