"""The diagnostics of ``liecbench doctor``: try everything that a run needs, and give a remedy for each failure."""

import os
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

from liecbench.diagnostics.diagnostic import Diagnostic
from liecbench.diagnostics.gpu_diagnostics import Build, on_gpus
from liecbench.diagnostics.link_support import DELAY_LINE_REMEDY, NETEM_REMEDY, probe_link
from liecbench.host import cgroups, linux
from liecbench.host.gpu import installed
from liecbench.launch import launch
from liecbench.network.quantity import format_rate

_NOBODY = 65534
_LATENCY = "latency and loss (delay line)"


def examine() -> Iterator[Diagnostic]:
    """Run all diagnostics and yield them.

    The diagnostic of namespaces comes first, because it forks the process, which must happen before torch starts
    threads.
    """
    yield _user_namespaces()
    yield from _link()
    yield _python()
    yield from _torch()
    yield _kernels()


def _user_namespaces() -> Diagnostic:
    works = _as_child(_unshare_as_ordinary_user)
    return Diagnostic(
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
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET)


def _as_child(action: Callable[[], None]) -> bool:
    child = os.fork()
    if child == 0:
        try:
            action()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _link() -> Iterator[Diagnostic]:
    report = probe_link()
    who = "root" if os.getuid() == 0 else "this user"
    name, remedy = f"shaped links for {who}", launch.REFUSED_REMEDY
    if report.get("type") != "probe":
        yield Diagnostic(name=name, works=False, seen=report.get("reason", "the probe printed nothing"), remedy=remedy)
        return
    up, down = (report["measured"][f"{way}_bits_per_second"] for way in ("up", "down"))
    asked = report["asked"]
    seen = f"asked {asked['up']} up, {asked['down']} down; measured {_mbit(up)} up, {_mbit(down)} down"
    yield Diagnostic(name=name, works=True, seen=seen)
    delay_line = _delay_line(report["delay_line"])
    yield delay_line
    without = ": the delay line does without" if delay_line.works else ""
    seen = "the kernel has netem" if report["netem"] else f"the kernel has no netem{without}"
    yield Diagnostic(name="latency and loss (netem)", works=report["netem"], seen=seen, remedy=NETEM_REMEDY)


def _delay_line(found: dict[str, Any]) -> Diagnostic:
    if reason := found.get("reason"):
        return Diagnostic(name=_LATENCY, works=False, seen=reason, remedy=DELAY_LINE_REMEDY)
    asked, measured = (1e3 * found[f"{name}_seconds"] for name in ("asked", "measured"))
    return Diagnostic(name=_LATENCY, works=True, seen=f"round trip asked {asked:.1f} ms, measured {measured:.1f} ms")


def _mbit(rate: float) -> str:
    return format_rate(round(rate / 1e5) * 10**5)


def _python() -> Diagnostic:
    seen = f"Python {platform.python_version()}, {platform.system()} {platform.release()}"
    cpus, memory = _cpus(), f"{cgroups.total_memory_bytes() / 1e9:.1f} GB of memory"
    seen = f"{seen}, {cpus}, {memory}, liecbench {version('liecbench')}"
    return Diagnostic(name="machine", works=True, seen=seen)


def _cpus() -> str:
    """Return as text how many processors this process may use and, if that is not all of them, why."""
    usable, installed, quota = cgroups.num_cpus(), os.cpu_count() or 1, cgroups.cpu_quota()
    if quota is not None and quota < installed:
        return f"{quota:.3g} of {installed} CPUs (the container's limit)"
    return f"{usable} CPUs" if usable == installed else f"{usable} of {installed} CPUs (the process's affinity)"


def _torch() -> Iterator[Diagnostic]:
    import torch
    import torch.distributed as dist

    yield Diagnostic(name="torch", works=True, seen=str(torch.__version__))
    gloo = dist.is_available() and dist.is_gloo_available()
    yield Diagnostic(
        name="gloo",
        works=gloo,
        seen="built in" if gloo else "not built in",
        remedy="install a torch with Gloo",
    )
    yield from on_gpus(installed(), Build.here())


def _kernels() -> Diagnostic:
    import torch

    from liecbench.compressors import Sign

    try:
        Sign().compress(torch.ones(8))
    except (ImportError, OSError, RuntimeError) as error:
        problem, remedy = f"they cannot be compiled: {error}", "reinstall numba, or set NUMBA_CACHE_DIR to a directory"
        return Diagnostic(name="CPU kernels", works=False, seen=problem.partition("\n")[0], remedy=remedy)
    return Diagnostic(name="CPU kernels", works=True, seen=f"numba {version('numba')}, compiled and cached")
