"""One rank's network link: measure the link when it changes, and limit its rates only while steps are trained."""

import pathlib
import time
from typing import Any

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.exposure import LinkRates
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.path import GLOO_MESSAGE_SECONDS, Path
from liecbench.network.deviation import Deviation, deviations, deviations_text
from liecbench.network.link_map import LinkMap
from liecbench.network.link_tally import LinkTally
from liecbench.network.measurement import FAILING, WARNING, MeasuredLink, Tolerance
from liecbench.network.mechanism import Emulator, UsedEmulator
from liecbench.network.slowdown import Slowdown
from liecbench.network.tcp_window import window_bytes
from liecbench.worker.collective_errors import LinkError
from liecbench.worker.link_shaper import LinkShaper

_MAX_MEASUREMENTS = 3
# A cell does not fail for a measurement that was disturbed for a moment: before it would, its links are measured again
# after pauses, until they have been measured this often.
_MAX_BEFORE_FAILING, _PAUSE_SECONDS = 10, 0.5
_NOT_SLOWED = Slowdown()


class CellLink:
    """One rank's network link, which changes from cell to cell. A cell is one configuration with one seed.

    ``prepare``, ``shape`` and ``unshape`` are collective.

    Args:
        shaper: The mechanism that limits this rank's traffic to the rates and the delay of its link.

    Attributes:
        measured: The measured link of each rank; None if the links are not shaped or cannot be measured.
    """

    def __init__(self, shaper: LinkShaper) -> None:
        self._shaper, self._asked, self._links, self._slowdown = shaper, LinkMap(), LinkMap(), Slowdown()
        self._emulator: Emulator = "auto"
        self._used_emulator: UsedEmulator | None = None
        self._prepared: LinkTally | None = None
        self.measured: list[MeasuredLink] | None = None

    def prepare(self, links: LinkMap, emulator: Emulator = "auto", slowdown: Slowdown = _NOT_SLOWED) -> None:
        """Switch to the links of the next cell, and measure the links of all ranks. Collective.

        The requested links are ``links``, slowed down by ``slowdown``. Nothing is measured if the links are not shaped,
        or if the ranks delay their messages themselves. The measurement of the last call is kept if it was for the same
        requested links and emulator, and if all its values are within ``measurement.FAILING``.

        The links are measured up to ten times, until all rates and round trips are near the requested values. At first,
        near means within ``measurement.WARNING``; from the third measurement on, within ``measurement.FAILING``. Of all
        values measured for a rate or a round trip, the nearest to the requested value is kept.

        Args:
            links: The links of the next cell.
            emulator: The emulator that the scenario asks for.
            slowdown: The factors by which a replay slows the links down.
        """
        self._asked, self._slowdown = links, slowdown
        links = links.slowed(slowdown)
        is_same = (links, emulator) == (self._links, self._emulator)
        if not is_same or self._deviations(FAILING):
            self._change(links, emulator)
        self._prepared = self._tally()

    def _change(self, links: LinkMap, emulator: Emulator) -> None:
        self._links, self._emulator, self.measured, self._used_emulator = links, emulator, None, None
        if not links.shaped:
            return
        self._used_emulator = self._shaper.choose(links, dist.get_world_size(), emulator, _is_true_on_all_ranks)
        for number in range(1, _MAX_BEFORE_FAILING + 1):
            if number > _MAX_MEASUREMENTS:
                time.sleep(_PAUSE_SECONDS)
            self.measured = self._measure()
            if not self._deviations(WARNING if number < _MAX_MEASUREMENTS else FAILING):
                break

    def check(self) -> None:
        """Check that the measured rates and round trips of all ranks' links are close to the requested ones.

        Raises:
            LinkError: If any rate is off by more than 15 %, or a round trip by more than 30 %, because the cell's times
                would then mean nothing. Every rank raises this error.
        """
        if wrong := self._deviations(FAILING):
            raise LinkError(f"the link is off by more than {FAILING}: {deviations_text(wrong)}")

    def shape(self) -> None:
        """Limit all ranks' traffic to the rates and delays of their links. Collective."""
        dist.barrier()
        if self._links.shaped:
            self._shaper.shape(self._links.of(dist.get_rank()))
        dist.barrier()

    def unshape(self) -> None:
        """Remove the limits on all ranks' traffic. Collective."""
        dist.barrier()
        self._shaper.unshape()

    @property
    def pacer(self) -> Pacer | None:
        """The pacer, which delays messages to emulate a slow link; None if this process delays no messages."""
        return self._shaper.pacer

    def wire_bytes(self) -> tuple[int, int] | None:
        """Return (sent, received) bytes of this rank's network interface so far; None if ranks share the interface."""
        return self._shaper.wire_bytes()

    def rates(self) -> LinkRates | None:
        """Return the measured rates of this rank's link; None if the link is not shaped.

        If the ranks delay their messages themselves, the rates are not measured, and the requested rates are returned.
        """
        if not self._links.shaped:
            return None
        rank = dist.get_rank()
        link = self._links.of(rank) if self.measured is None else self.measured[rank]
        return LinkRates(up_bits_per_second=link.up_bits_per_second, down_bits_per_second=link.down_bits_per_second)

    def describe(self) -> dict[str, Any]:
        """Return a description of all ranks' links for a record: mechanism, requested and measured rates, TCP settings.

        If a replay slows the links down, the measured rates and round trips are converted back to full speed.
        """
        emulated = None if self.measured is None else [link.emulated(self._slowdown) for link in self.measured]
        measured = None if emulated is None else [link.as_dict() for link in emulated]
        return {
            "enforcement": self._shaper.name if self._links.shaped else "none",
            "emulator": self._used_emulator,
            "asked": self._asked.spec(),
            "measured": measured,
            "congestion_control": _congestion_control(),
            "window_bytes": window_bytes() if self._shaper.name == "kernel" and self._links.shaped else None,
        }

    def tally(self) -> LinkTally | None:
        """Return what the delay line has counted since ``prepare``, such as lost segments.

        A delay line is a process that emulates slow links. Return None if no delay line is used.
        """
        now = self._tally()
        return None if now is None or self._prepared is None else now.since(self._prepared)

    def emulator_cpu_seconds(self) -> float:
        """Return the CPU seconds so far of the delay line, a process that emulates slow links; 0 if it is not used."""
        tally = self._tally()
        return 0.0 if tally is None else tally.cpu_seconds

    def _tally(self) -> LinkTally | None:
        return self._shaper.tally() if self._used_emulator == "delay_line" else None

    def _deviations(self, tolerance: Tolerance) -> list[Deviation]:
        return deviations(self._links, self.measured, tolerance) if self.measured else []

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


def slowest_path(links: LinkMap, num_workers: int, slowdown: Slowdown = _NOT_SLOWED) -> Path | None:
    """Return a path that is at least as slow as each path between two workers; None if links are not shaped.

    The rate of the path is the lowest rate, up or down, of all workers' links. The delay of the path is the sum of the
    two longest delays of workers' links.

    Args:
        links: The links of all workers, before ``slowdown`` is applied.
        num_workers: Number of workers.
        slowdown: The factors by which a replay slows the path down. By default, the path is not slowed down.
    """
    if not links.shaped:
        return None
    each = [links.of(rank).slowed(slowdown) for rank in range(num_workers)]
    delays = sorted(link.delay_seconds for link in each)[-2:]
    rate = min(link.lower_bits_per_second for link in each)
    message_seconds = GLOO_MESSAGE_SECONDS * slowdown.dilation
    return Path(delay_seconds=sum(delays), bytes_per_second=rate / 8, message_seconds=message_seconds)


def _is_true_on_all_ranks(value: bool) -> bool:
    everywhere = torch.tensor(int(value))
    dist.all_reduce(everywhere, dist.ReduceOp.MIN)
    return bool(everywhere)


def _congestion_control() -> str | None:
    """Return the name of TCP's congestion control in this rank's network namespace; None if it is unknown."""
    try:
        return pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    except OSError:
        return None
