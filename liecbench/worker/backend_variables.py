"""The environment variables of Gloo and NCCL, set in each rank before it joins the process group."""

from dataclasses import dataclass
from typing import Any, Final, Self

from liecbench.launch.messages import RankSettings

# Forbid all that moves bytes past the interface: direct access between GPUs, shared memory, InfiniBand, NVLink SHARP.
_SOCKETS_ONLY: Final = {
    "NCCL_NET": "Socket",
    "NCCL_P2P_DISABLE": "1",
    "NCCL_SHM_DISABLE": "1",
    "NCCL_IB_DISABLE": "1",
    "NCCL_NVLS_ENABLE": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The backend of a launch, ``gloo`` or ``nccl``, and the restrictions on it.

    On a ``shaped`` link all bytes must pass the rank's interface, and NCCL must take each rank for a host of its own.
    So it must if ranks share GPUs: it refuses two ranks of one host on one GPU.
    """

    name: str
    shaped: bool
    share_gpus: bool

    @classmethod
    def of(cls, settings: RankSettings, *, shaped: bool) -> Self:
        """Return the backend of a plan's ranks."""
        return cls(name=settings.backend, shaped=shaped, share_gpus=settings.share_gpus)

    @property
    def sockets_only(self) -> bool:
        """True if all bytes pass the interface, so that its counters see them."""
        return self.name == "gloo" or self.shaped or self.share_gpus

    def variables(self, interface: str, rank: int) -> dict[str, str]:
        """Return the environment variables of global rank ``rank``, whose network is behind ``interface``."""
        chosen = {"GLOO_SOCKET_IFNAME": interface}
        if self.name == "gloo":
            return chosen
        # NCCL takes a bare name for a prefix. It also meets its peers there if the tensors take another way.
        chosen["NCCL_SOCKET_IFNAME"] = f"={interface}"
        if self.sockets_only:
            chosen.update(_SOCKETS_ONLY, NCCL_HOSTID=f"liecbench-rank-{rank}")
        return chosen

    def describe(self) -> dict[str, Any]:
        """Return what a record says about NCCL; empty if it is not used."""
        if self.name != "nccl":
            return {}
        import torch

        version = ".".join(map(str, torch.cuda.nccl.version()))
        transport = "socket" if self.sockets_only else "any"
        return {"nccl": {"version": version, "shared_gpus": self.share_gpus, "transport": transport}}
