"""The processors and the memory that this process may use: the machine's, or less if a container limits them.

A container's limits are those of its control group (cgroup) and of the groups that contain it. Both versions of the
kernel's interface are read. Sources: cgroups(7), and Documentation/admin-guide/cgroup-v2.rst of the kernel.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

_PROC: Final = Path("/proc")
# In version 1, the limit of a group without one is the largest multiple of the page size. No machine has this much.
_NO_LIMIT: Final = 2**60


def num_cpus(proc: Path = _PROC) -> int:
    """Return the number of processors that this process may use; a limit of 1.5 processors counts as 2.

    ``proc`` is the directory where the kernel's process file system is mounted.
    """
    allowed = len(os.sched_getaffinity(0))
    quota = cpu_quota(proc)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def cpu_quota(proc: Path = _PROC) -> float | None:
    """Return the lowest limit of processor time among this process's control groups; None without a limit.

    The limit is in processors, such as 1.5. The groups that contain the process's own groups count, too. ``proc`` is
    the directory where the kernel's process file system is mounted.
    """
    quotas = [
        quota / period
        for group, version in _groups(proc, "cpu")
        for quota, period in [_read_quota_v2(group) if version == 2 else _read_quota_v1(group)]
        if quota is not None and quota > 0 and period
    ]
    return min(quotas, default=None)


def total_memory_bytes(proc: Path = _PROC) -> int:
    """Return the bytes of the machine's memory, or of the control group's limit if it is lower."""
    return min([psutil.virtual_memory().total, *(limit for limit, _ in _memory(proc))])


def available_memory_bytes(proc: Path = _PROC) -> int:
    """Return the bytes that this process can still get without swapping and within its control group's limit."""
    return min([psutil.virtual_memory().available, *(max(0, limit - used) for limit, used in _memory(proc))])


def _groups(proc: Path, controller: str) -> Iterator[tuple[Path, int]]:
    """Yield (directory, cgroup version 1 or 2) of this process's control groups and of all groups that contain them.

    Of version 1, only groups of ``controller`` are yielded, such as ``cpu`` or ``memory``. ``proc`` is the directory
    where /proc is mounted.
    """
    mounts = _mounts(proc)
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        version = 1 if controllers else 2
        mount = mounts.get(controller if version == 1 else "")
        if mount is None or (version == 1 and controller not in controllers.split(",")):
            continue
        # In a container the path may be the machine's, which does not exist there; the mounted root is its group then.
        own = mount / path.lstrip("/")
        for group in (own, *own.parents):
            yield group, version
            if group == mount:
                break


def _mounts(proc: Path) -> dict[str, Path]:
    """Return the mount points of cgroups. The key is "" for version 2, and a controller, such as cpu, for version 1."""
    found: dict[str, Path] = {}
    for line in _lines(proc / "self" / "mounts"):
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found.setdefault("", Path(place))
        elif kind == "cgroup":
            for option in options.split(","):
                found.setdefault(option, Path(place))
    return found


def _read_quota_v2(group: Path) -> tuple[float | None, float]:
    words = " ".join(_lines(group / "cpu.max")).split()
    return (float(words[0]), float(words[1])) if len(words) == 2 and words[0] != "max" else (None, 1.0)


def _read_quota_v1(group: Path) -> tuple[float | None, float]:
    return _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us") or 1e5


def _memory(proc: Path) -> Iterator[tuple[int, int]]:
    """Yield (limit, used) memory in bytes for each of this process's control groups that limits memory.

    File pages that the kernel can drop do not count as used. ``proc`` is the directory where /proc is mounted.
    """
    for group, version in _groups(proc, "memory"):
        names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        limit, used = (_number(group / name) for name in names)
        if limit is None or limit >= _NO_LIMIT:
            continue
        inactive = "inactive_file" if version == 2 else "total_inactive_file"
        droppable = (line.split()[1] for line in _lines(group / "memory.stat") if line.split()[0] == inactive)
        yield int(limit), int((used or 0) - float(next(droppable, 0)))


def _number(file: Path) -> float | None:
    text = " ".join(_lines(file))
    return float(text) if text and text != "max" else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
