"""The machine that a result comes from: processor, versions, memory; no paths, no environment variables."""

import platform
from importlib.metadata import version
from pathlib import Path

import psutil

from liecbench import __version__
from liecbench.errors import MachineError


def describe(*, threads: int) -> dict[str, str | int]:
    """Return what results record of the machine; ``threads`` is how many a process computes with."""
    return {
        "cpu": _cpu_model(),
        "num_cpus": psutil.cpu_count() or 1,
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "numba")},
        "liecbench": __version__,
        "threads": threads,
    }


def check_memory(asked: str, needed_bytes: int, remedy: str, *, gpu_bytes: int | None = None) -> None:
    """Check that what was asked fits into memory.

    Args:
        asked: What needs the memory, in the user's words.
        needed_bytes: How much it needs.
        remedy: What the user can do if there is less.
        gpu_bytes: What is available on a GPU; without it, the machine's memory is looked at.

    Raises:
        MachineError: There is less.
    """
    available, memory = (
        (psutil.virtual_memory().available, "memory") if gpu_bytes is None else (gpu_bytes, "the GPU's memory")
    )
    if needed_bytes > available:
        found = f"{needed_bytes / 1e9:.1f} GB of {memory}, and {available / 1e9:.1f} GB are available"
        raise MachineError(f"{asked} needs about {found}", remedy)


def _cpu_model() -> str:
    """Return the processor's name, which psutil does not know."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()
