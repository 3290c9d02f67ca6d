"""The diagnostics of ``liecbench doctor``: try everything that a run needs, and give a remedy for each failure."""

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

from liecbench.diagnostics.link_support import DELAY_LINE_REMEDY, NETEM_REMEDY, probe_link
from liecbench.host import cgroups, linux
from liecbench.host.gpu import Gpu, Gpus, installed
from liecbench.launch import launch
from liecbench.launch.gpu_requirements import BUILD_REMEDY, lacking_to_build
from liecbench.network.quantity import format_rate

_NOBODY = 65534
_LATENCY = "latency and loss (delay line)"
_CUDA_BUILD = "install a CUDA build of torch"
_DRIVER_REMEDY = "install and load NVIDIA's driver; in a container: --gpus all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One thing that runs need from the machine, and whether it works.

    Attributes:
        name: The thing, such as ``gloo``.
        works: Whether it works.
        seen: The finding, for example a version.
        remedy: Advice for the user if it does not work.
    """

    name: str
    works: bool
    seen: str
    remedy: str = ""


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
    """Return, as text, the processors that this process may use, with the reason if they are not all."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The installed software that is needed to train on GPUs.

    Attributes:
        cuda: CUDA version that torch is built for. None if torch is built without CUDA.
        num_gpus: Number of GPUs that torch sees.
        nccl: Version of NCCL in torch. None if torch has none.
        triton: Version of Triton. None if Triton is not installed.
        lacking: Missing programs and files that Triton needs to build its kernel launcher.
    """

    cuda: str | None
    num_gpus: int
    nccl: str | None
    triton: str | None
    lacking: tuple[str, ...]

    @classmethod
    def here(cls) -> Self:
        """Return the software that is installed for this Python interpreter."""
        import torch
        import torch.distributed as dist

        cuda: str | None = torch.version.cuda
        has_nccl = cuda is not None and dist.is_available() and dist.is_nccl_available()
        try:
            triton = version("triton")
        except PackageNotFoundError:
            triton = None
        return cls(
            cuda=cuda,
            num_gpus=torch.cuda.device_count() if cuda else 0,
            nccl=".".join(map(str, torch.cuda.nccl.version())) if has_nccl else None,
            triton=triton,
            lacking=tuple(lacking_to_build()),
        )


def on_gpus(found: Gpus, build: Build) -> Iterator[Diagnostic]:
    """Yield the diagnostics of NCCL, of the GPUs ``found`` and their driver, of torch and of Triton.

    If no GPU is found, yield only the diagnostics ``nccl`` and ``gpus``. ``build`` is the installed software.
    """
    remedy = f"needed for GPUs only: {_CUDA_BUILD}"
    yield Diagnostic(
        name="nccl", works=build.nccl is not None, seen=build.nccl or "not in this build of torch", remedy=remedy
    )
    if not found.gpus:
        seen = f"none: {found.problem or 'the driver finds no GPU'}"
        remedy = f"needed for device: cuda only{f': {_DRIVER_REMEDY}' if found.problem else ''}"
        yield Diagnostic(name="gpus", works=False, seen=seen, remedy=remedy)
        return
    cuda = f", runs CUDA up to {found.cuda}" if found.cuda else ""
    yield Diagnostic(name="nvidia driver", works=True, seen=f"{found.driver or 'version unknown'}{cuda}")
    for number, gpu in enumerate(found.gpus):
        yield Diagnostic(name=f"gpu {number}", works=True, seen=_gpu_text(gpu))
    for number in range(len(found.gpus)):
        ways = [f"gpu {b} {way}" for (a, b), way in sorted(found.connections.items()) if a == number]
        if ways:
            yield Diagnostic(name=f"gpu {number} to", works=True, seen=", ".join(ways))
    yield from _build_diagnostics(found, build)


def _gpu_text(gpu: Gpu) -> str:
    parts = [gpu.name]
    parts += [f"{gpu.memory_bytes / 2**30:.0f} GiB"] if gpu.memory_bytes else []
    parts += [f"PCIe {gpu.pcie_generation} ×{gpu.pcie_width}"] if gpu.pcie_generation and gpu.pcie_width else []
    parts += ["compute capability {}.{}".format(*gpu.compute_capability)] if gpu.compute_capability else []
    parts += [f"{gpu.num_nvlinks} NVLinks"] if gpu.num_nvlinks else []
    return ", ".join(parts)


def _build_diagnostics(found: Gpus, build: Build) -> Iterator[Diagnostic]:
    sees = f"built for CUDA {build.cuda}, sees {build.num_gpus} of {len(found.gpus)} GPUs"
    hidden = f"install a driver for CUDA {build.cuda}, or an older build of torch; look at CUDA_VISIBLE_DEVICES"
    yield Diagnostic(
        name="torch on GPUs",
        works=build.num_gpus > 0,
        seen=sees if build.cuda else "torch is built without CUDA",
        remedy=hidden if build.cuda else _CUDA_BUILD,
    )
    yield Diagnostic(
        name="triton",
        works=build.triton is not None,
        seen=build.triton or "not installed",
        remedy="the GPU kernels need it: pip install triton; a CUDA build of torch brings it",
    )
    yield Diagnostic(
        name="triton's launcher",
        works=not build.lacking,
        seen=f"no {' and no '.join(build.lacking)}" if build.lacking else "a C compiler and Python.h to build it",
        remedy=BUILD_REMEDY,
    )


def _kernels() -> Diagnostic:
    import torch

    from liecbench.compressors import Sign

    try:
        Sign().compress(torch.ones(8))
    except (ImportError, OSError, RuntimeError) as error:
        problem, remedy = f"they cannot be compiled: {error}", "reinstall numba, or set NUMBA_CACHE_DIR to a directory"
        return Diagnostic(name="CPU kernels", works=False, seen=problem.partition("\n")[0], remedy=remedy)
    return Diagnostic(name="CPU kernels", works=True, seen=f"numba {version('numba')}, compiled and cached")
