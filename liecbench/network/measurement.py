"""Measured links, and how much their rates deviate from the rates that a scenario asks for."""

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
    """The measurement of one worker's link.

    Rates are in bits per second of Ethernet frames. The round trip is the time that one byte takes to the hub, the
    network's central bridge, and back.
    """

    up_bits_per_second: float
    down_bits_per_second: float
    round_trip_seconds: float

    def deviation(self, link: Link, direction: Literal["up", "down"]) -> float:
        """Return measured rate ÷ requested rate − 1 in one direction; ``link`` has the requested rates."""
        name = f"{direction}_bits_per_second"
        return float(getattr(self, name) / getattr(link, name) - 1)

    def better(self, other: Self | None, link: Link) -> "MeasuredLink":
        """Combine two measurements of a link, this and ``other``, into one with the better values.

        For each direction the result has the rate that is nearer to the rate of ``link``, which is the link that the
        scenario asks for. It has the shorter round trip. If ``other`` is None, return this measurement.
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
        """Return the three values by name, to store in a record."""
        return asdict(self)


def rate_deviations(asked: LinkMap, measured: Sequence[MeasuredLink], tolerance: float) -> list[str]:
    """Return a line of text for each rank and direction whose rate deviates from the rate asked for.

    Args:
        asked: The links that the scenario asks for.
        measured: The measured link of each rank.
        tolerance: The largest deviation that is not reported, as a fraction of the rate asked for.
    """
    return [text for rank, one in enumerate(measured) for text in _deviations_of(rank, asked.of(rank), one, tolerance)]


def _deviations_of(rank: int, asked: Link, measured: MeasuredLink, tolerance: float) -> Iterator[str]:
    for direction in ("up", "down"):
        deviation = measured.deviation(asked, direction)
        if abs(deviation) > tolerance:
            name = f"{direction}_bits_per_second"
            wanted, found = (format_rate(round(getattr(link, name), -4)) for link in (asked, measured))
            yield f"rank {rank} {direction}: asked {wanted}, measured {found} ({deviation:+.0%})"


def recorded_deviations(environment: dict[str, Any], tolerance: float = WARNING_DEVIATION) -> list[str]:
    """Return the lines of ``rate_deviations`` for the links in a recorded ``environment``.

    When training starts, the environment is recorded. It holds the links that the scenario asks for and the measured
    links. If no link was measured, there are no lines.
    """
    recorded = environment.get("link") or {}
    if not recorded.get("measured"):
        return []
    # Records of earlier versions have no round trip.
    links = [MeasuredLink(**{"round_trip_seconds": 0.0, **rank}) for rank in recorded["measured"]]
    return rate_deviations(LinkMap.parse(recorded["asked"]), links, tolerance)
