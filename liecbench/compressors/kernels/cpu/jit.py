"""Compile CPU kernels with numba: the kernels run without the GIL, and are cached on disk.

numba keeps its cache beside the source or, if the package is read-only, in the user's cache directory. If both are
read-only, ``compiled`` makes numba use a temporary directory.
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
    """Return a decorator that replaces a kernel, a Python function, by its compiled version.

    The kernel is compiled when the kernel's module is imported, or loaded from numba's cache on disk if the cache has
    the compiled version.

    Args:
        signature: The types of the result and of the arguments in numba's notation, as in ``"void(f4[::1], u1[::1])"``.
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
    """Cache kernels in a temporary directory, in this process and in the processes that it starts from now on."""
    directory = tempfile.mkdtemp(prefix="liecbench-kernels-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = directory
    numba.config.CACHE_DIR = directory  # type: ignore[attr-defined]
