"""Deviations of measured links from the links that a scenario asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.measurement import MeasuredLink, Tolerance, hub_round_trip_seconds
from liecbench.network.quantity import DELAY, RATE

_MAX_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A rate or a round trip of one worker's link that deviates from the requested one; ``str`` describes it.

    Attributes:
        rank: The worker's rank.
        of: What deviates: the rate ``up`` or ``down``, or the ``round trip`` to the hub, where all links meet.
        asked: The requested rate in bits per second, or the seconds of a round trip over the requested link.
        measured: The measured rate in bits per second, or the seconds of the measured round trip.
    """

    rank: int
    of: Literal["up", "down", "round trip"]
    asked: float
    measured: float

    @property
    def asked_text(self) -> str:
        """The rate or round trip asked for, with its unit."""
        return self.text(self.asked)

    def text(self, value: float) -> str:
        """Return ``value`` as text with its unit.

        ``value`` is the seconds of a round trip if the attribute ``of`` is ``round trip``, and else a rate in bits per
        second. A rate is rounded to 10 kbit/s, a round trip to 10 µs.
        """
        return DELAY.format(round(value, 5)) if self.of == "round trip" else RATE.format(round(value, -4))

    def __str__(self) -> str:
        where = f"{self.of} to the hub" if self.of == "round trip" else self.of
        asked, measured = self.asked_text, self.text(self.measured)
        return f"rank {self.rank} {where}: asked {asked}, measured {measured} ({self.measured / self.asked - 1:+.0%})"


def deviations(asked: LinkMap, measured: Sequence[MeasuredLink], tolerance: Tolerance) -> list[Deviation]:
    """Return each measured rate and round trip that deviates from the requested one.

    A round trip is compared only if the link has a delay: without one, it depends on the machine alone.

    Args:
        asked: The links that the scenario asks for.
        measured: The measured link of each rank.
        tolerance: The largest deviations that are not reported.
    """
    return [found for rank, one in enumerate(measured) for found in _of_rank(rank, asked.of(rank), one, tolerance)]


def deviations_text(found: Sequence[Deviation]) -> str:
    """Return a text that describes the first three deviations.

    If there are more than three, the text ends with the number of the rest, such as ``and 2 more``.
    """
    more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
    return "; ".join(map(str, found[:_MAX_NAMED])) + more


def _of_rank(rank: int, asked: Link, measured: MeasuredLink, tolerance: Tolerance) -> Iterator[Deviation]:
    for direction in ("up", "down"):
        if abs(measured.deviation(asked, direction)) > tolerance.rate:
            wanted, found = (getattr(link, f"{direction}_bits_per_second") for link in (asked, measured))
            yield Deviation(rank=rank, of=direction, asked=wanted, measured=found)
    # Records of earlier versions have no round trip.
    if asked.delay_seconds and measured.round_trip_seconds:
        trip, found = hub_round_trip_seconds(asked), measured.round_trip_seconds
        tolerated = max(tolerance.round_trip * trip, tolerance.round_trip_seconds) + 2 * asked.jitter_seconds
        if abs(found - trip) > tolerated:
            yield Deviation(rank=rank, of="round trip", asked=trip, measured=found)
