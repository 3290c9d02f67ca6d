"""Measured links, and their deviations from the links that a scenario asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self

from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.quantity import format_rate

WARNING_DEVIATION: Final = 0.05
FAILING_DEVIATION: Final = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLink:
    """One worker's link as measured.

    Rates are bits per second of Ethernet frames; the round trip is the time of one byte to the hub and back.
    """

    up_bits_per_second: float
    down_bits_per_second: float
    round_trip_seconds: float

    def deviation(self, link: Link, direction: Literal["up", "down"]) -> float:
        """Return measured rate ÷ asked rate − 1 of one direction; ``link`` is the link that was asked for."""
        name = f"{direction}_bits_per_second"
        return float(getattr(self, name) / getattr(link, name) - 1)

    def better(self, other: Self | None, link: Link) -> "MeasuredLink":
        """Return the better of two measurements of ``link``, value by value.

        For each direction it has the rate that is nearer to the one asked for, and it has the shorter round trip.
        """
        if other is None:
            return self
        up, down = (
            min(self, other, key=lambda measured: abs(measured.deviation(link, direction)))
            for direction in ("up", "down")
        )
        return MeasuredLink(
            up_bits_per_second=up.up_bits_per_second,
            down_bits_per_second=down.down_bits_per_second,
            round_trip_seconds=min(self.round_trip_seconds, other.round_trip_seconds),
        )

    def as_dict(self) -> dict[str, float]:
        """Return plain numbers for a record."""
        return asdict(self)


def rate_deviations(asked: LinkMap, measured: Sequence[MeasuredLink], tolerance: float) -> list[str]:
    """Return a line for each rank and direction whose rate deviates from the one asked for by over ``tolerance``."""
    return [text for rank, one in enumerate(measured) for text in _deviations_of(rank, asked.of(rank), one, tolerance)]


def _deviations_of(rank: int, asked: Link, measured: MeasuredLink, tolerance: float) -> Iterator[str]:
    for direction in ("up", "down"):
        deviation = measured.deviation(asked, direction)
        if abs(deviation) > tolerance:
            name = f"{direction}_bits_per_second"
            wanted, found = (format_rate(round(getattr(link, name), -4)) for link in (asked, measured))
            yield f"rank {rank} {direction}: asked {wanted}, measured {found} ({deviation:+.0%})"


def recorded_deviations(environment: dict[str, Any], tolerance: float = WARNING_DEVIATION) -> list[str]:
    """Return ``rate_deviations`` of the links in a start record's ``environment``; nothing if none was measured."""
    recorded = environment.get("link") or {}
    if not recorded.get("measured"):
        return []
    # Records of earlier versions have no round trip.
    links = [MeasuredLink(**{"round_trip_seconds": 0.0, **rank}) for rank in recorded["measured"]]
    return rate_deviations(LinkMap.parse(recorded["asked"]), links, tolerance)
