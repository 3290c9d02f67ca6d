"""How a launch's tensors travel: the variables that Gloo and NCCL read, set in each rank before it imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

# Whatever moves bytes past the interface, out: direct access between GPUs, shared memory, InfiniBand, NVLink SHARP.
_SOCKETS_ALONE: Final = {
    "NCCL_NET": "Socket",
    "NCCL_P2P_DISABLE": "1",
    "NCCL_SHM_DISABLE": "1",
    "NCCL_IB_DISABLE": "1",
    "NCCL_NVLS_ENABLE": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A launch's backend, whose ``name`` is ``gloo`` or ``nccl``, and what it must do without.

    On a ``shaped`` link everything passes the rank's interface, and to NCCL each rank is a host of its own; so are
    ranks that share GPUs, which it would refuse otherwise.
    """

    name: str
    shaped: bool
    share_gpus: bool

    @classmethod
    def of(cls, plan: Mapping[str, Any], *, shaped: bool) -> Self:
        """What a plan asks for; a benchmark's names no backend."""
        return cls(name=plan.get("backend", "gloo"), shaped=shaped, share_gpus=plan.get("share_gpus", False))

    @property
    def sockets_alone(self) -> bool:
        """Whether all that is sent passes the interface, and its counters have it."""
        return self.name == "gloo" or self.shaped or self.share_gpus

    def variables(self, interface: str, rank: int) -> dict[str, str]:
        """The environment of rank number ``rank`` of all, whose network is behind ``interface``."""
        chosen = {"GLOO_SOCKET_IFNAME": interface}
        if self.name == "gloo":
            return chosen
        # To NCCL a bare name is a prefix. It meets its peers there, too, where the tensors take another way.
        chosen["NCCL_SOCKET_IFNAME"] = f"={interface}"
        if self.sockets_alone:
            chosen.update(_SOCKETS_ALONE, NCCL_HOSTID=f"liecbench-rank-{rank}")
        return chosen

    def describe(self) -> dict[str, Any]:
        """What a record says of NCCL; nothing where it is not used."""
        if self.name != "nccl":
            return {}
        import torch

        version = ".".join(map(str, torch.cuda.nccl.version()))
        transport = "socket" if self.sockets_alone else "any"
        return {"nccl": {"version": version, "shared_gpus": self.share_gpus, "transport": transport}}
