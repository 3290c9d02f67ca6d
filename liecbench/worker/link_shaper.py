"""The interface of the mechanisms that limit one rank's traffic.

The kernel, a delay line (a process that emulates slow links) or the rank's own process limits the traffic.
"""

from collections.abc import Callable
from typing import Literal, Protocol

from liecbench.algorithms.comm.pacing import Pacer
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.link_tally import LinkTally
from liecbench.network.measurement import MeasuredLink
from liecbench.network.mechanism import Emulator, UsedEmulator


class LinkShaper(Protocol):
    """A mechanism that limits one rank's traffic to the rates and the delay of a link."""

    @property
    def name(self) -> Literal["kernel", "process", "none"]:
        """The name of the mechanism in records.

        ``kernel``: the kernel or the delay line limits the traffic of the rank's network namespace. ``process``: the
        rank's own process delays messages. ``none``: nothing limits the traffic.
        """

    @property
    def pacer(self) -> Pacer | None:
        """The pacer, which delays messages to emulate a slow link; None if this process delays no messages."""

    def choose(
        self, links: LinkMap, num_workers: int, emulator: Emulator, on_all: Callable[[bool], bool] = bool
    ) -> UsedEmulator | None:
        """Choose the emulator of the links: the kernel, or the delay line (a process that emulates slow links).

        Args:
            links: The links to emulate.
            num_workers: The number of workers.
            emulator: The emulator that the scenario asks for, such as ``auto``.
            on_all: A function that returns True if its argument is True on all ranks, so that all ranks choose the same
                emulator. The default considers only this rank.

        Returns:
            The emulator's name in records, such as ``delay_line``; None if ranks have no network namespaces.
        """

    def shape(self, link: Link) -> None:
        """Limit this rank's traffic in both directions to the rates and the delay of ``link``."""

    def unshape(self) -> None:
        """Remove the limits on this rank's traffic in both directions."""

    def measure(self, link: Link) -> MeasuredLink | None:
        """Emulate ``link`` for this rank, return the link's measured rates and round trip, and remove all limits.

        Do nothing and return None if this process itself delays messages, or if links are not emulated.
        """

    def tally(self) -> LinkTally | None:
        """Return what the delay line has counted so far on the links of all ranks, such as lost segments.

        The delay line is a process that emulates slow links. Return None if it is not used.
        """

    def wire_bytes(self) -> tuple[int, int] | None:
        """Return (sent, received) bytes of this rank's network interface so far; None if ranks share the interface."""
