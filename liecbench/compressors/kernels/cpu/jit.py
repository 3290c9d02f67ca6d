"""How CPU kernels are compiled: once for the machine, without the GIL, cached on disk.

numba keeps its cache beside the source, or in the user's cache directory where the package is read-only; where neither
can be written it goes to a directory for temporary files.
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
    """Compile a kernel at import, or load it from the cache."""

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
    """For this process and, by the environment, those that it starts."""
    directory = tempfile.mkdtemp(prefix="liecbench-kernels-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = directory
    numba.config.CACHE_DIR = directory  # type: ignore[attr-defined]
