"""Link shapers for ranks without a network namespace: pacing in the process, or no shaping at all.

A rank with a namespace is shaped by the kernel (``liecbench.network.emulation.WorkerLink``).
"""

import os
from typing import Literal

from liecbench.algorithms.comm.pacing import Pacer
from liecbench.launch.supervisor import MASTER_VARIABLE
from liecbench.network.emulation import WorkerLink
from liecbench.network.link import Link, burst_bytes
from liecbench.worker.backend_variables import Backend
from liecbench.worker.cell_link import LinkShaper
from liecbench.worker.network_interface import carried_bytes


class ProcessPacing:
    """Pacing of messages by the process itself: it imitates a link's rates and delay without help from the kernel."""

    name: Literal["process"] = "process"

    def __init__(self) -> None:
        self.pacer = Pacer()

    def shape(self, link: Link) -> None:
        """Pace this rank's messages in both directions by the rates and delay of ``link``."""
        self.pacer.start(
            up_bits_per_second=link.up_bits_per_second,
            down_bits_per_second=link.down_bits_per_second,
            burst_bytes=(burst_bytes(link.up_bits_per_second), burst_bytes(link.down_bits_per_second)),
            delay_seconds=link.delay_seconds,
        )

    def unshape(self) -> None:
        """Send messages without pacing."""
        self.pacer.stop()

    def measure(self, link: Link) -> None:
        """Return None: pacing computes times, so there is no network to measure."""

    def wire_bytes(self) -> None:
        """Return None: messages cross the loopback interface, which counts all ranks together."""


class Unshaped:
    """No shaping: the network as it is.

    Args:
        interface: The network interface whose counters are this rank's wire bytes; None if other ranks use it too.
    """

    name: Literal["none"] = "none"
    pacer = None

    def __init__(self, interface: str | None = None) -> None:
        self._interface = interface

    def shape(self, link: Link) -> None:
        """Raise AssertionError: a launch with shaped links has another shaper."""
        raise AssertionError("a shaped link needs a shaper")

    def unshape(self) -> None:
        """Do nothing: no limits were set."""

    def measure(self, link: Link) -> None:
        """Return None: no rate was requested."""

    def wire_bytes(self) -> tuple[int, int] | None:
        """Return the bytes (sent, received) of the interface; None if ranks share it, as they share the loopback."""
        return carried_bytes(self._interface) if self._interface else None


def choose_shaper(worker_link: WorkerLink | None, backend: Backend, *, paced: bool) -> LinkShaper:
    """Return this rank's shaper.

    Args:
        worker_link: The rank's link in its network namespace, which the kernel shapes; None without a namespace.
        backend: The launch's backend.
        paced: True if the process paces its messages; it has no effect if ``worker_link`` is given.
    """
    if worker_link is not None:
        return worker_link
    if paced:
        return ProcessPacing()
    alone = MASTER_VARIABLE in os.environ and os.environ["LOCAL_WORLD_SIZE"] == "1"
    return Unshaped(os.environ["GLOO_SOCKET_IFNAME"] if alone and backend.sockets_only else None)
