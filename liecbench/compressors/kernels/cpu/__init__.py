"""CPU kernels, compiled by numba, with one module per compressor or encoding.

A module such as ``cpu.sign`` is imported when it is first used, because importing numba takes half a second, and
compiling a kernel takes seconds on a machine that has not run the kernel before. A command that only checks a scenario
neither imports numba nor compiles a kernel.
"""

import importlib
import pkgutil
from types import ModuleType

_NAMES = frozenset(module.name for module in pkgutil.iter_modules(__path__))


def __getattr__(name: str) -> ModuleType:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")


def modules(*names: str) -> tuple[str, ...]:
    """Return the full names of this package's modules ``names``, for a compressor's ``cpu_kernels``."""
    return tuple(f"{__name__}.{name}" for name in names)
