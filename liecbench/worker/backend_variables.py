"""The environment variables of Gloo and NCCL, set in each rank before it joins the process group."""

from dataclasses import dataclass
from typing import Any, Final, Self

from liecbench.launch.plans import RankSettings

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
    """The communication backend of a launch (one torchrun).

    If ``shaped`` or ``share_gpus`` is True, the environment variables that ``variables`` returns make NCCL use only
    sockets, and treat each rank as a host of its own:

    - If links are shaped, all bytes must pass the rank's network interface, even between ranks of one machine.
    - If ranks share GPUs, NCCL would otherwise refuse to run, because NCCL allows only one rank of a host on each GPU.

    Attributes:
        name: ``gloo`` or ``nccl``.
        shaped: True if the rates of the ranks' links are limited.
        share_gpus: True if several ranks may use the same GPU.
    """

    name: str
    shaped: bool
    share_gpus: bool

    @classmethod
    def of(cls, settings: RankSettings, *, shaped: bool) -> Self:
        """Return the communication backend, Gloo or NCCL, of ranks with these settings.

        ``shaped`` is True if the rates of the ranks' links are limited.
        """
        return cls(name=settings.backend, shaped=shaped, share_gpus=settings.share_gpus)

    @property
    def sockets_only(self) -> bool:
        """True if all bytes pass the rank's network interface, so that the interface's counters count all bytes."""
        return self.name == "gloo" or self.shaped or self.share_gpus

    def variables(self, interface: str, rank: int) -> dict[str, str]:
        """Return, by name, the environment variables that global rank ``rank`` must set.

        ``interface`` is the network interface through which the rank reaches its peers.
        """
        chosen = {"GLOO_SOCKET_IFNAME": interface}
        if self.name == "gloo":
            return chosen
        # "=" asks for exactly this interface; without it, NCCL takes the name for a prefix. NCCL sets up connections on
        # this interface even if tensors take another route.
        chosen["NCCL_SOCKET_IFNAME"] = f"={interface}"
        if self.sockets_only:
            chosen.update(_SOCKETS_ONLY, NCCL_HOSTID=f"liecbench-rank-{rank}")
        return chosen

    def describe(self) -> dict[str, Any]:
        """Return, for the results, NCCL's version and settings under the key ``"nccl"``; an empty dict without NCCL."""
        if self.name != "nccl":
            return {}
        import torch

        version = ".".join(map(str, torch.cuda.nccl.version()))
        transport = "socket" if self.sockets_only else "any"
        return {"nccl": {"version": version, "shared_gpus": self.share_gpus, "transport": transport}}
