"""Compilation of CPU kernels: once per machine, without the GIL, cached on disk.

numba keeps its cache beside the source, or in the user's cache directory if the package is read-only. If it can write
to neither, it gets a directory for temporary files.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

import numba
from numba import njit


def compiled(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that compiles a kernel when its module is imported, or loads it from the cache.

    Args:
        signature: The types of result and arguments in numba's notation, such as ``"void(f4[::1], u1[::1])"``.
    """

    def decorate(kernel: Callable[..., Any]) -> Callable[..., Any]:
        compile_now: Callable[[Callable[..., Any]], Callable[..., Any]] = njit(signature, nogil=True, cache=True)
        try:
            return compile_now(kernel)
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
            _cache_in_temporary_directory()
            return compile_now(kernel)

    return decorate


def _cache_in_temporary_directory() -> None:
    """Cache kernels in a temporary directory in this process and, through the environment, in those it starts."""
    directory = tempfile.mkdtemp(prefix="liecbench-kernels-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = directory
    numba.config.CACHE_DIR = directory  # type: ignore[attr-defined]
