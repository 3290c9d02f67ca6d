"""Who holds a rank to its link where the kernel does not."""

import os
from typing import Literal

from liecbench.algorithms.comm.pacing import Pacer
from liecbench.launch.supervisor import MASTER_VARIABLE
from liecbench.network.emulation import WorkerLink
from liecbench.network.link import Link, burst_bytes
from liecbench.worker.backend_variables import Backend
from liecbench.worker.cell_link import Enforcer
from liecbench.worker.network_interface import carried_bytes


class Process:
    """Pacing in the exchange: the rates and the delay of messages, for want of a kernel that shapes links."""

    name: Literal["process"] = "process"

    def __init__(self) -> None:
        self.pacer = Pacer()

    def shape(self, link: Link) -> None:
        """Pace both directions."""
        self.pacer.start(
            up_bits_per_second=link.up_bits_per_second,
            down_bits_per_second=link.down_bits_per_second,
            burst_bytes=(burst_bytes(link.up_bits_per_second), burst_bytes(link.down_bits_per_second)),
            delay_seconds=link.delay_seconds,
        )

    def lift(self) -> None:
        """Let messages through as they come."""
        self.pacer.stop()

    def measure(self, link: Link) -> None:
        """Nothing: what it holds messages to is arithmetic, not a network."""

    def wire_bytes(self) -> None:
        """None: the messages cross the loopback, whose counters belong to everyone."""


class Nobody:
    """The network as it is.

    ``interface`` is the machine's own, where only this rank uses it: then its counters are the rank's wire bytes.
    """

    name: Literal["none"] = "none"
    pacer = None

    def __init__(self, interface: str | None = None) -> None:
        self._interface = interface

    def shape(self, link: Link) -> None:
        """Never asked to."""
        raise AssertionError("a shaped link needs somebody who enforces it")

    def lift(self) -> None:
        """There is nothing to lift."""

    def measure(self, link: Link) -> None:
        """Nothing was asked for."""

    def wire_bytes(self) -> tuple[int, int] | None:
        """What the interface has carried; None where several ranks share it, as they do the loopback."""
        return carried_bytes(self._interface) if self._interface else None


def enforcer_of(worker_link: WorkerLink | None, backend: Backend, *, paced: bool) -> Enforcer:
    """The kernel where the rank has a link of its own, the process where it is to be ``paced``, or nobody."""
    if worker_link is not None:
        return worker_link
    if paced:
        return Process()
    alone = MASTER_VARIABLE in os.environ and os.environ["LOCAL_WORLD_SIZE"] == "1"
    return Nobody(os.environ["GLOO_SOCKET_IFNAME"] if alone and backend.sockets_alone else None)
