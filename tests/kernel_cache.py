"""Compile the CPU kernels in two processes, if none is in numba's cache: pytest's processes then load them from there.

Otherwise each of pytest's workers compiles all kernels, which takes half a minute.
"""

import importlib
import pkgutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from liecbench.compressors.kernels import cpu


def compile_module(name: str) -> None:
    importlib.import_module(name)


def main() -> None:
    (directory,) = map(Path, cpu.__path__)
    if next(directory.glob("__pycache__/*.nbi"), None) is None:
        names = [module.name for module in pkgutil.iter_modules(cpu.__path__, f"{cpu.__name__}.")]
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(compile_module, names))


if __name__ == "__main__":
    main()
