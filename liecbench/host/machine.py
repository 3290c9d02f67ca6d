"""Describe this machine for result records, without paths and environment variables, and check its free memory."""

import platform
from importlib.metadata import version
from pathlib import Path

from liecbench import __version__
from liecbench.errors import MachineError
from liecbench.host import cgroups


def describe(*, threads: int) -> dict[str, str | int | float | None]:
    """Return the description of this machine for result records. ``threads`` is the number of threads per process.

    In a container, ``num_cpus`` and ``memory_bytes`` in the result are the parts that the container may use.
    ``cpu_quota`` is the container's limit of processor time, such as 1.5 processors; None without a limit.
    """
    return {
        "cpu": _cpu_model(),
        "num_cpus": cgroups.num_cpus(),
        "cpu_quota": cgroups.cpu_quota(),
        "memory_bytes": cgroups.total_memory_bytes(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "numba")},
        "liecbench": __version__,
        "threads": threads,
    }


def check_memory(asked: str, needed_bytes: int, remedy: str, *, gpu_bytes: int | None = None) -> None:
    """Check that enough memory is available.

    Args:
        asked: What needs the memory, in words for the error message.
        needed_bytes: The bytes that are needed.
        remedy: Advice for the user if too few bytes are available.
        gpu_bytes: Bytes available on a GPU, to be checked instead of the machine's memory. If it is None, the machine's
            memory is checked.

    Raises:
        MachineError: If fewer than ``needed_bytes`` are available.
    """
    available, memory = (
        (cgroups.available_memory_bytes(), "memory") if gpu_bytes is None else (gpu_bytes, "the GPU's memory")
    )
    if needed_bytes > available:
        found = f"{needed_bytes / 1e9:.1f} GB of {memory}, and {available / 1e9:.1f} GB are available"
        raise MachineError(f"{asked} needs about {found}", remedy)


def _cpu_model() -> str:
    """Return the processor's model name, which psutil does not report, or the architecture if the name is unknown."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()
