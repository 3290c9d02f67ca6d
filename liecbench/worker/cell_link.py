"""A rank's link while a cell trains: set, measured where it changed, lifted outside training."""

from pathlib import Path
from typing import Any, Literal, Protocol

import torch.distributed as dist

from liecbench.algorithms.comm.pacing import Pacer
from liecbench.network.link import Link, LinkMap
from liecbench.network.measurement import FAILING_DEVIATION, WARNING_DEVIATION, MeasuredLink, misses
from liecbench.worker.collective_errors import LinkError

_MOST_MEASUREMENTS = 3


class Enforcer(Protocol):
    """What holds a rank to its link."""

    @property
    def pacer(self) -> Pacer | None:
        """Who paces the exchange, where the kernel does not."""

    @property
    def name(self) -> Literal["kernel", "process", "none"]:
        """What a record calls it."""

    def shape(self, link: Link) -> None:
        """Hold both directions to what the link carries."""

    def lift(self) -> None:
        """Let the rank run free."""

    def measure(self, link: Link) -> MeasuredLink | None:
        """What the link carries, with nobody else on this rank's; None where there is nothing to measure."""

    def wire_bytes(self) -> tuple[int, int] | None:
        """Bytes sent and received so far; None where nothing counts them."""


class CellLink:
    """A rank's link; every method is collective but ``wire_bytes`` and ``describe``."""

    def __init__(self, enforcer: Enforcer) -> None:
        self._enforcer, self._now = enforcer, LinkMap()
        self.measured: list[MeasuredLink] | None = None

    def prepare(self, links: LinkMap) -> None:
        """Measure ``links`` on every rank at once, unless it is the one of the cell before.

        A rank that another process kept from the core measures too little: of up to three measurements the one
        nearest to what was asked counts. One that would fail the cell is not taken over from the cell before.
        """
        if links == self._now and not self._misses(FAILING_DEVIATION):
            return
        self._now, self.measured = links, None
        if not links.shaped:
            return
        for _ in range(_MOST_MEASUREMENTS):
            self.measured = self._measure()
            if not self._misses(WARNING_DEVIATION):
                break

    def check(self) -> None:
        """LinkError where a rank's link carries too little, or too much, for the cell to mean anything."""
        if wrong := self._misses(FAILING_DEVIATION):
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            raise LinkError(f"the link is off by more than {FAILING_DEVIATION:.0%}: {'; '.join(wrong[:3])}{more}")

    def shape(self) -> None:
        """Hold every rank to its link from here on."""
        dist.barrier()
        if self._now.shaped:
            self._enforcer.shape(self._now.of(dist.get_rank()))
        dist.barrier()

    def lift(self) -> None:
        """Let every rank run free from here on."""
        dist.barrier()
        self._enforcer.lift()

    @property
    def pacer(self) -> Pacer | None:
        """Who paces the exchange, where the kernel does not."""
        return self._enforcer.pacer

    def wire_bytes(self) -> tuple[int, int] | None:
        """Bytes sent and received so far; None where nothing counts them."""
        return self._enforcer.wire_bytes()

    def describe(self) -> dict[str, Any]:
        """Who enforces the link, and what it was measured to carry."""
        measured = None if self.measured is None else [link.as_dict() for link in self.measured]
        return {
            "enforcement": self._enforcer.name if self._now.shaped else "none",
            "asked": self._now.spec(),
            "measured": measured,
            "congestion_control": _congestion_control(),
        }

    def _misses(self, tolerance: float) -> list[str]:
        return misses(self._now, self.measured, tolerance) if self.measured else []

    def _measure(self) -> list[MeasuredLink] | None:
        rank = dist.get_rank()
        dist.barrier()
        mine = self._enforcer.measure(self._now.of(rank))
        if mine is None:
            return None
        if self.measured is not None:
            mine = mine.better(self.measured[rank], self._now.of(rank))
        everyone = [mine] * dist.get_world_size()
        dist.all_gather_object(everyone, mine)
        return everyone


def _congestion_control() -> str | None:
    """What TCP does in this rank's network; None where the kernel does not tell."""
    try:
        return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    except OSError:
        return None
