"""Checks, before anything starts, that this machine has what training and benchmarks on GPUs need."""

import importlib.util
import os
import shutil
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from liecbench.config.cell import Cell
from liecbench.errors import MachineError

BUILD_REMEDY = "install gcc and python3-dev, or name another C compiler in CC"
_OR_GLOO = "or use backend: gloo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuda:
    """torch's and Triton's support for GPUs on this machine.

    Attributes:
        torch: torch's version.
        built: Whether torch is built with CUDA.
        num_gpus: Number of GPUs that torch sees.
        said: The first line of the warning that torch gave when it looked for GPUs; empty if it did not warn.
        nccl: Whether torch is built with NCCL.
        triton: Whether Triton is installed.
        lacking: The files and programs that Triton needs to build its kernel launchers, but that are not found.
    """

    torch: str
    built: bool
    num_gpus: int
    said: str
    nccl: bool
    triton: bool
    lacking: tuple[str, ...]

    @classmethod
    def found(cls) -> Self:
        """Return this machine's support for GPUs, without using GPU memory to find out."""
        import torch
        import torch.distributed as dist

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return cls(
            torch=str(torch.__version__),
            built=torch.backends.cuda.is_built(),
            num_gpus=num_gpus,
            said=str(caught[0].message).partition("\n")[0] if caught else "",
            nccl=dist.is_available() and dist.is_nccl_available(),
            triton=importlib.util.find_spec("triton") is not None,
            lacking=tuple(lacking_to_build()),
        )

    def require(self, cell: Cell, num_ranks: int, *, share_gpus: bool) -> None:
        """Raise MachineError if this machine cannot train a cell on GPUs.

        Args:
            cell: The cell, a training run whose ``device`` is ``cuda``.
            num_ranks: The number of the cell's ranks that would run on this machine.
            share_gpus: Whether several NCCL ranks may share one GPU.
        """
        self.require_kernels("device: cuda", "or use device: cpu")
        if cell.backend == "nccl":
            self._require_nccl(cell, num_ranks, share_gpus=share_gpus)

    def require_kernels(self, asked: str, instead: str) -> None:
        """Raise MachineError if compressors cannot run on a GPU here.

        Args:
            asked: The option that needs a GPU, such as ``--device cuda``, with which the error message begins.
            instead: The alternative that the error message offers, such as ``or use --device cpu``.
        """
        if not self.built:
            message = f"{asked}: torch {self.torch} is built without CUDA"
            raise MachineError(message, f"install a CUDA build of torch, {instead}")
        if not self.num_gpus:
            why = f" ({self.said})" if self.said else ""
            remedy = f"`nvidia-smi` shows the driver's; a container needs --gpus all; {instead}"
            raise MachineError(f"{asked}: torch {self.torch} sees no GPU here{why}", remedy)
        if not self.triton:
            message = f"{asked}: compressors compute with Triton there, which is not installed"
            raise MachineError(message, "pip install triton")
        if self.lacking:
            message = (
                f"{asked}: Triton builds its launcher of kernels here and finds no {' and no '.join(self.lacking)}"
            )
            raise MachineError(message, BUILD_REMEDY)

    def _require_nccl(self, cell: Cell, num_ranks: int, *, share_gpus: bool) -> None:
        if not self.nccl:
            message = f"backend: nccl: torch {self.torch} is built without NCCL"
            raise MachineError(message, f"install a build of torch that has it, {_OR_GLOO}")
        if num_ranks > self.num_gpus and not share_gpus:
            gpus = f"{self.num_gpus} GPU{'s' if self.num_gpus > 1 else ''}"
            message = f"backend: nccl: {cell.describe()}: {num_ranks} ranks on this machine, which has {gpus}"
            remedy = (
                "give fewer workers, use backend: gloo, whose ranks share GPUs, or try --share-gpus "
                "(experimental: NCCL does not support it)"
            )
            raise MachineError(message, remedy)


def require_cuda(cells: Iterable[Cell], *, num_nodes: int = 1, share_gpus: bool = False) -> None:
    """Raise MachineError if one of ``cells`` (training runs) uses GPUs and cannot run on this machine.

    Args:
        cells: The cells to check.
        num_nodes: The number of machines that share the ranks of each cell equally.
        share_gpus: Whether several NCCL ranks may share one GPU.
    """
    on_gpus = [cell for cell in cells if cell.device == "cuda"]
    if not on_gpus:
        return
    found = Cuda.found()
    for cell in on_gpus:
        found.require(cell, cell.workers // num_nodes, share_gpus=share_gpus)


def lacking_to_build() -> Iterator[str]:
    """Yield the missing files that Triton needs to build its kernel launchers: a C compiler, or ``Python.h``."""
    asked = os.environ.get("CC")
    if not any(map(shutil.which, ["gcc", "clang"] if asked is None else [asked])):
        yield "C compiler" if asked is None else f"C compiler CC={asked}"
    scheme = sysconfig.get_default_scheme().replace("posix_local", "posix_prefix")
    header = Path(sysconfig.get_path("include", scheme)) / "Python.h"
    if not header.is_file():
        yield str(header)
