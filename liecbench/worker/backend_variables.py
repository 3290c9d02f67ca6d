"""The environment variables of Gloo and NCCL, set in each rank before it joins the process group."""

from dataclasses import dataclass
from typing import Any, Final, Self

from liecbench.launch.messages import RankSettings

# Disable NCCL transports that bypass the network interface: GPU peer access, shared memory, InfiniBand, NVLink SHARP.
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

    If links are ``shaped``, all bytes must pass the rank's network interface, also between ranks of one machine. If
    ranks share GPUs, NCCL would refuse two ranks of one host on one GPU. In both cases NCCL uses only sockets, and
    takes each rank for a host of its own.
    """

    name: str
    shaped: bool
    share_gpus: bool

    @classmethod
    def of(cls, settings: RankSettings, *, shaped: bool) -> Self:
        """Return the backend of a plan's ranks; ``shaped`` is True if their links are shaped."""
        return cls(name=settings.backend, shaped=shaped, share_gpus=settings.share_gpus)

    @property
    def sockets_only(self) -> bool:
        """True if all bytes pass the network interface, so that its counters count them."""
        return self.name == "gloo" or self.shaped or self.share_gpus

    def variables(self, interface: str, rank: int) -> dict[str, str]:
        """Return the environment variables of global rank ``rank``, which reaches its peers through ``interface``."""
        chosen = {"GLOO_SOCKET_IFNAME": interface}
        if self.name == "gloo":
            return chosen
        # Without "=" NCCL takes the name for a prefix. NCCL sets up its connections here even if tensors go elsewhere.
        chosen["NCCL_SOCKET_IFNAME"] = f"={interface}"
        if self.sockets_only:
            chosen.update(_SOCKETS_ONLY, NCCL_HOSTID=f"liecbench-rank-{rank}")
        return chosen

    def describe(self) -> dict[str, Any]:
        """Return NCCL's version and settings for a cell's record; empty if the backend is not NCCL."""
        if self.name != "nccl":
            return {}
        import torch

        version = ".".join(map(str, torch.cuda.nccl.version()))
        transport = "socket" if self.sockets_only else "any"
        return {"nccl": {"version": version, "shared_gpus": self.share_gpus, "transport": transport}}
