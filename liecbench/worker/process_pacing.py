"""Links of ranks without a network namespace: either the process delays its own messages, or nothing is emulated.

If a rank has a network namespace, the kernel or the delay line limits its traffic
(``liecbench.network.emulation.WorkerLink``).
"""

import os
from collections.abc import Callable
from typing import Literal

from liecbench.algorithms.comm.pacing import Pacer
from liecbench.host.linux import set_timer_slack
from liecbench.launch.supervisor import MASTER_VARIABLE
from liecbench.network.emulation import WorkerLink
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.mechanism import Emulator
from liecbench.worker.backend_variables import Backend
from liecbench.worker.link_shaper import LinkShaper
from liecbench.worker.network_interface import carried_bytes


class ProcessPacing:
    """Emulation of a slow link by the rank's own process, which delays its messages without help from the kernel."""

    name: Literal["process"] = "process"

    def __init__(self) -> None:
        set_timer_slack(1)  # of this thread, and of those that it starts: the pacer's sleeps end on time
        self.pacer = Pacer()

    def choose(
        self, links: LinkMap, num_workers: int, emulator: Emulator, on_all: Callable[[bool], bool] = bool
    ) -> None:
        """Do nothing: there is no emulator to choose, because this process always delays its messages itself."""

    def shape(self, link: Link) -> None:
        """Delay this rank's messages in both directions, so that they pass at the rates of ``link``.

        ``link`` has no delay, jitter or loss, because scenarios that ask for these are refused before the launch.
        """
        self.pacer.start(up_bits_per_second=link.up_bits_per_second, down_bits_per_second=link.down_bits_per_second)

    def unshape(self) -> None:
        """Stop delaying messages."""
        self.pacer.stop()

    def measure(self, link: Link) -> None:
        """Do nothing, and return None: delays are computed from the link's rates, so there is nothing to measure."""

    def tally(self) -> None:
        """Return None. Only a delay line counts events such as lost segments, and no delay line is used."""

    def wire_bytes(self) -> None:
        """Return None, because messages cross the loopback interface, which counts the bytes of all ranks together."""


class Unshaped:
    """The network as it is, without emulation of a slow link.

    Args:
        interface: The network interface that carries this rank's bytes; None if ranks share the interface.
    """

    name: Literal["none"] = "none"
    pacer = None

    def __init__(self, interface: str | None = None) -> None:
        self._interface = interface

    def choose(
        self, links: LinkMap, num_workers: int, emulator: Emulator, on_all: Callable[[bool], bool] = bool
    ) -> None:
        """Do nothing, and return None: links are not shaped, so there is no emulator to choose."""

    def shape(self, link: Link) -> None:
        """Raise AssertionError, because shaped links need ``ProcessPacing`` or ``WorkerLink``."""
        raise AssertionError("a shaped link needs a shaper")

    def unshape(self) -> None:
        """Do nothing, because no limit was set."""

    def measure(self, link: Link) -> None:
        """Do nothing, and return None: the link is not limited, so there is no rate to check."""

    def tally(self) -> None:
        """Return None. Only a delay line counts events such as lost segments, and no delay line is used."""

    def wire_bytes(self) -> tuple[int, int] | None:
        """Return the interface's running counts of bytes, (sent, received); None if ranks share the interface."""
        return carried_bytes(self._interface) if self._interface else None


def choose_shaper(worker_link: WorkerLink | None, backend: Backend, *, paced: bool) -> LinkShaper:
    """Return the object that shapes this rank's link.

    Return ``worker_link`` unless it is None. Without a worker link, return a ``ProcessPacing`` if ``paced``, else an
    ``Unshaped``, which limits nothing.

    Args:
        worker_link: The link of this rank's network namespace; None if the rank has no namespace.
        backend: The launch's backend. An ``Unshaped`` counts wire bytes only if all of the backend's bytes pass the
            network interface.
        paced: Whether this process delays its own messages to emulate a slow link.
    """
    if worker_link is not None:
        return worker_link
    if paced:
        return ProcessPacing()
    alone = MASTER_VARIABLE in os.environ and os.environ["LOCAL_WORLD_SIZE"] == "1"
    return Unshaped(os.environ["GLOO_SOCKET_IFNAME"] if alone and backend.sockets_only else None)
