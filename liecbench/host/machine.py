"""What figures are from: processor, versions, memory; no paths and nothing of the environment."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from liecbench import __version__
from liecbench.errors import MachineError


def describe(*, threads: int) -> dict[str, str | int]:
    """The machine as results name it; ``threads`` is how many a process computes with."""
    return {
        "cpu": _cpu_model(),
        "num_cpus": os.cpu_count() or 1,
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "numba")},
        "liecbench": __version__,
        "threads": threads,
    }


def check_memory(asked: str, needed_bytes: int, remedy: str, *, gpu_bytes: int | None = None) -> None:
    """MachineError where what was asked would need more memory than is available; ``gpu_bytes`` are a GPU's."""
    available, memory = (_available_bytes(), "memory") if gpu_bytes is None else (gpu_bytes, "the GPU's memory")
    if available is not None and needed_bytes > available:
        found = f"{needed_bytes / 1e9:.1f} GB of {memory}, and {available / 1e9:.1f} GB are available"
        raise MachineError(f"{asked} needs about {found}", remedy)


def _cpu_model() -> str:
    return _value_of(Path("/proc/cpuinfo"), "model name") or platform.machine()


def _available_bytes() -> int | None:
    available = _value_of(Path("/proc/meminfo"), "MemAvailable")
    return int(available.removesuffix("kB")) * 1024 if available else None


def _value_of(path: Path, key: str) -> str | None:
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), None)
