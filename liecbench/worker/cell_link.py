"""A rank's link while cells train: it is measured when it changes, and shaped only during training and timing."""

from pathlib import Path
from typing import Any, Literal, Protocol

import torch.distributed as dist

from liecbench.algorithms.comm.exposure import LinkRates
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.measurement import FAILING_DEVIATION, WARNING_DEVIATION, MeasuredLink, rate_deviations
from liecbench.worker.collective_errors import LinkError

_MAX_MEASUREMENTS = 3
_MAX_NAMED = 3


class LinkShaper(Protocol):
    """A mechanism that limits one rank's traffic to its link."""

    @property
    def name(self) -> Literal["kernel", "process", "none"]:
        """The name of the mechanism in records."""

    @property
    def pacer(self) -> Pacer | None:
        """The pacer of this rank's messages; None unless the process itself paces them."""

    def shape(self, link: Link) -> None:
        """Limit this rank's traffic in both directions to ``link``."""

    def unshape(self) -> None:
        """Remove the limits of both directions."""

    def measure(self, link: Link) -> MeasuredLink | None:
        """Return the measured rates of the shaped ``link``; None if there is no network to measure."""

    def wire_bytes(self) -> tuple[int, int] | None:
        """Return this rank's bytes (sent, received) so far; None if no network interface counts this rank alone."""


class CellLink:
    """One rank's link, for one cell after the other. All methods but ``wire_bytes`` and ``describe`` are collective.

    Args:
        shaper: The mechanism that limits this rank's traffic to its link.
    """

    def __init__(self, shaper: LinkShaper) -> None:
        self._shaper, self._links = shaper, LinkMap()
        self.measured: list[MeasuredLink] | None = None

    def prepare(self, links: LinkMap) -> None:
        """Switch to the links of the next cell and, if they changed, measure them on all ranks at once.

        A measured rate is too low if another process takes the rank's core meanwhile. So links are measured up to three
        times, and for each rank the measurement nearest to the requested rate counts. Unchanged links are measured
        again if their last measurement is so far off that ``check`` would fail.
        """
        if links == self._links and not self._deviations(FAILING_DEVIATION):
            return
        self._links, self.measured = links, None
        if not links.shaped:
            return
        for _ in range(_MAX_MEASUREMENTS):
            self.measured = self._measure()
            if not self._deviations(WARNING_DEVIATION):
                break

    def check(self) -> None:
        """Check on every rank that the measured rates of all ranks' links are close to the requested rates.

        Raises:
            LinkError: If any rank's link deviates so far from its request that the cell's times would mean nothing.
        """
        if wrong := self._deviations(FAILING_DEVIATION):
            more = f" and {len(wrong) - _MAX_NAMED} more" if len(wrong) > _MAX_NAMED else ""
            named = "; ".join(wrong[:_MAX_NAMED])
            raise LinkError(f"the link is off by more than {FAILING_DEVIATION:.0%}: {named}{more}")

    def shape(self) -> None:
        """Limit every rank to its link."""
        dist.barrier()
        if self._links.shaped:
            self._shaper.shape(self._links.of(dist.get_rank()))
        dist.barrier()

    def unshape(self) -> None:
        """Remove every rank's limits."""
        dist.barrier()
        self._shaper.unshape()

    @property
    def pacer(self) -> Pacer | None:
        """The pacer of this rank's messages; None unless the process itself paces them."""
        return self._shaper.pacer

    def wire_bytes(self) -> tuple[int, int] | None:
        """Return this rank's bytes (sent, received) so far; None if no network interface counts this rank alone."""
        return self._shaper.wire_bytes()

    def rates(self) -> LinkRates | None:
        """Return the measured rates of this rank's link, or the requested ones if processes pace it; None without."""
        if not self._links.shaped:
            return None
        rank = dist.get_rank()
        link = self._links.of(rank) if self.measured is None else self.measured[rank]
        return LinkRates(up_bits_per_second=link.up_bits_per_second, down_bits_per_second=link.down_bits_per_second)

    def describe(self) -> dict[str, Any]:
        """Return the links for a cell's record: enforcement, requested and measured rates, and congestion control."""
        measured = None if self.measured is None else [link.as_dict() for link in self.measured]
        return {
            "enforcement": self._shaper.name if self._links.shaped else "none",
            "asked": self._links.spec(),
            "measured": measured,
            "congestion_control": _congestion_control(),
        }

    def _deviations(self, tolerance: float) -> list[str]:
        return rate_deviations(self._links, self.measured, tolerance) if self.measured else []

    def _measure(self) -> list[MeasuredLink] | None:
        rank = dist.get_rank()
        dist.barrier()
        own = self._shaper.measure(self._links.of(rank))
        if own is None:
            return None
        if self.measured is not None:
            own = own.better(self.measured[rank], self._links.of(rank))
        ranks = [own] * dist.get_world_size()
        dist.all_gather_object(ranks, own)
        return ranks


def _congestion_control() -> str | None:
    """Return TCP's congestion control in this rank's network namespace; None if the kernel does not tell."""
    try:
        return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    except OSError:
        return None
