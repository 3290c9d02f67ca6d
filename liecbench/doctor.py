"""What this machine can do, found out by doing it; each 'no' with its remedy."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from liecbench import launch, syscalls
from liecbench.errors import MachineError
from liecbench.link import Link, format_rate
from liecbench.supervisor import Orders

_NOBODY = 65534
_PROBE_SECONDS = 30
_NETEM_REMEDY = "load the module sch_netem (package linux-modules-extra or kernel-modules-extra)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One ability: whether it is there, what was seen, and how to get it."""

    name: str
    works: bool
    seen: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Every finding; those that need a process without threads come first."""
    yield _user_namespaces()
    yield from _link()
    yield _python()
    yield from _torch()
    yield _kernels()


def require_netem(links: Iterable[Link]) -> None:
    """MachineError where one of ``links`` asks for delay or loss and the kernel has no netem, seen by building one."""
    asking = next((link for link in links if link.needs_netem), None)
    if asking is None or probe_link().get("netem", True):
        return
    message = f"link {asking}: delay, jitter and loss need the kernel's netem, which this one has not"
    raise MachineError(message, f"{_NETEM_REMEDY}, or leave them out")


def _user_namespaces() -> Finding:
    works = _as_child(_unshare_as_ordinary_user)
    return Finding(
        name="namespaces for an ordinary user",
        works=works,
        seen="a user namespace was made" if works else "the kernel refuses user namespaces",
        remedy="sysctl kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0, "
        "or user.max_user_namespaces above 0; in a container: --security-opt seccomp=unconfined",
    )


def _unshare_as_ordinary_user() -> None:
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNET)


def _as_child(action: Callable[[], None]) -> bool:
    child = os.fork()
    if child == 0:
        try:
            action()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _link() -> Iterator[Finding]:
    report = probe_link()
    who = "root" if os.getuid() == 0 else "this user"
    name, remedy = f"shaped links for {who}", launch.REFUSED_REMEDY
    if report.get("type") != "probe":
        yield Finding(name=name, works=False, seen=report.get("reason", "the probe printed nothing"), remedy=remedy)
        return
    up, down = (report["measured"][f"{way}_bits_per_second"] for way in ("up", "down"))
    asked = report["asked"]
    seen = f"asked {asked['up']} up, {asked['down']} down; measured {_mbit(up)} up, {_mbit(down)} down"
    yield Finding(name=name, works=True, seen=seen)
    yield Finding(
        name="latency and loss (netem)",
        works=report["netem"],
        seen="the kernel has netem" if report["netem"] else "the kernel has no netem: rates only",
        remedy=_NETEM_REMEDY,
    )


def probe_link() -> dict[str, Any]:
    """Build a link as a run does, and take it down; what was found, or ``reason`` where the kernel refused."""
    reading, writing = os.pipe()
    command = [sys.executable, "-P", "-m", "liecbench.probe"]
    orders = Orders(parent=os.getpid(), events=writing, num_links=1, command=command)
    process = subprocess.Popen(
        orders.arguments(), pass_fds=(writing,), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    os.close(writing)
    try:
        _, printed = process.communicate(timeout=_PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return {"reason": f"building a link took more than {_PROBE_SECONDS} s"}
    with os.fdopen(reading) as events:
        line = events.readline()
    last = printed.decode(errors="replace").strip().rpartition("\n")[2]
    return json.loads(line) if line else {"reason": last or "the probe printed nothing"}


def _mbit(rate: float) -> str:
    return format_rate(round(rate / 1e5) * 10**5)


def _python() -> Finding:
    seen = f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {os.cpu_count()} CPUs"
    return Finding(name="machine", works=True, seen=f"{seen}, liecbench {version('liecbench')}")


def _torch() -> Iterator[Finding]:
    import torch
    import torch.distributed as dist

    yield Finding(name="torch", works=True, seen=str(torch.__version__))
    gloo = dist.is_available() and dist.is_gloo_available()
    yield Finding(
        name="gloo",
        works=gloo,
        seen="built in" if gloo else "not built in",
        remedy="install a torch with Gloo",
    )
    nccl = dist.is_available() and dist.is_nccl_available()
    remedy = "needed for GPUs only: install a CUDA build of torch"
    yield Finding(name="nccl", works=nccl, seen="built in" if nccl else "not in this build of torch", remedy=remedy)
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    remedy = "needed for device: cuda only, which this version does not train on yet"
    yield Finding(name="gpus", works=bool(gpus), seen=", ".join(gpus) or "none", remedy=remedy)


def _kernels() -> Finding:
    from liecbench.compressors import Sign

    assert Sign().payload_bytes(8) > 0, "importing it compiled its kernels"
    return Finding(name="CPU kernels", works=True, seen=f"numba {version('numba')}, compiled and cached")
