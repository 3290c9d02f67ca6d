"""How CPU kernels are compiled: once for the machine, without the GIL, cached on disk.

numba keeps its cache beside the source, or in the user's cache directory where the package is read-only; where neither
can be written it goes to a directory for temporary files.
"""

import os
import tempfile
from collections.abc import Callable
from typing import Any

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
            os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="liecbench-kernels-")
            return compile_now(kernel)

    return decorate
