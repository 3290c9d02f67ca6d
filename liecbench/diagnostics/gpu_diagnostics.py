"""The diagnostics of GPUs: the driver, and the software that training on GPUs needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Self

from liecbench.diagnostics.diagnostic import Diagnostic
from liecbench.host.gpu import Gpu, Gpus
from liecbench.launch.gpu_requirements import BUILD_REMEDY, lacking_to_build

_CUDA_BUILD = "install a CUDA build of torch"
_DRIVER_REMEDY = "install and load NVIDIA's driver; in a container: --gpus all"


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
        """Return the ``Build`` of this Python interpreter: its CUDA, NCCL and Triton, and the GPUs that torch sees."""
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
    """Yield the diagnostics of NCCL, the GPU driver, each GPU, torch and Triton.

    If there is no GPU, yield only the diagnostics ``nccl`` and ``gpus``.

    Args:
        found: The GPUs of this machine.
        build: The installed software that is needed to train on GPUs.
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
