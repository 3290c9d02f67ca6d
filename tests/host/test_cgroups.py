"""Limits of control groups, read from files such as the kernel's; the numbers are written down here."""

from pathlib import Path

import psutil
import pytest

from liecbench.host import cgroups

GIB = 2**30
MACHINE = psutil.virtual_memory().total


def machine(directory: Path, group: str, mounts: str, files: dict[str, str]) -> Path:
    """Write a process file system and control groups; return the directory of the former."""
    (directory / "proc" / "self").mkdir(parents=True)
    (directory / "proc" / "self" / "cgroup").write_text(group)
    (directory / "proc" / "self" / "mounts").write_text(mounts.replace("ROOT", str(directory)))
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory / "proc"


V2 = "proc /proc proc rw 0 0\ncgroup2 ROOT/cg cgroup2 rw,nosuid 0 0\n"
V1 = "cgroup ROOT/cg/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup ROOT/cg/memory cgroup rw,memory 0 0\n"


def test_without_a_limit_the_machine_counts(tmp_path: Path) -> None:
    proc = machine(tmp_path, "0::/\n", V2, {"cg/cpu.max": "max 100000\n", "cg/memory.max": "max\n"})

    assert (cgroups.cpu_quota(proc), cgroups.total_memory_bytes(proc)) == (None, MACHINE)
    assert cgroups.num_cpus(proc) == cgroups.num_cpus(tmp_path / "no proc")


def test_a_container_on_version_2(tmp_path: Path) -> None:
    files = {
        "cg/cpu.max": "50000 100000\n",
        "cg/memory.max": f"{GIB // 2}\n",
        "cg/memory.current": f"{GIB // 4}\n",
        "cg/memory.stat": f"anon 5\ninactive_file {GIB // 8}\n",
    }
    proc = machine(tmp_path, "0::/\n", V2, files)

    assert (cgroups.num_cpus(proc), cgroups.cpu_quota(proc)) == (1, 0.5)
    assert cgroups.total_memory_bytes(proc) == GIB // 2
    assert cgroups.available_memory_bytes(proc) == GIB // 2 - (GIB // 4 - GIB // 8)


def test_the_lowest_limit_of_the_groups_above_counts(tmp_path: Path) -> None:
    files = {
        "cg/memory.max": "max\n",
        "cg/a/memory.max": f"{GIB // 4}\n",
        "cg/a/b/memory.max": f"{GIB // 2}\n",
        "cg/a/b/cpu.max": "300000 100000\n",
        "cg/a/cpu.max": "75000 50000\n",
    }
    proc = machine(tmp_path, "0::/a/b\n", V2, files)

    assert (cgroups.cpu_quota(proc), cgroups.total_memory_bytes(proc)) == (1.5, GIB // 4)


@pytest.mark.parametrize("group", ["/docker/0123", "/"])
def test_a_container_on_version_1(tmp_path: Path, group: str) -> None:
    """The group's path may be the machine's, which the container cannot see: its own group is mounted as the root."""
    files = {
        "cg/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
        "cg/cpu,cpuacct/cpu.cfs_period_us": "200000\n",
        "cg/memory/memory.limit_in_bytes": f"{GIB // 2}\n",
        "cg/memory/memory.usage_in_bytes": f"{GIB}\n",
        "cg/memory/memory.stat": f"cache 7\ntotal_inactive_file {GIB // 4}\n",
    }
    proc = machine(tmp_path, f"4:memory:{group}\n3:cpuacct,cpu:{group}\n0::/\n", V1, files)

    assert (cgroups.num_cpus(proc), cgroups.cpu_quota(proc)) == (1, 0.25)
    assert (cgroups.total_memory_bytes(proc), cgroups.available_memory_bytes(proc)) == (GIB // 2, 0)


def test_version_1_without_limits(tmp_path: Path) -> None:
    files = {
        "cg/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "cg/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "cg/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    proc = machine(tmp_path, "4:memory:/\n3:cpu,cpuacct:/\n", V1, files)

    assert (cgroups.cpu_quota(proc), cgroups.total_memory_bytes(proc)) == (None, MACHINE)
