"""Measured links, and how much their rates and round trips may differ from those that a scenario asks for."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Final, Literal, Self

from annotated_types import Ge, Gt, Le

from liecbench.network.link import Link
from liecbench.network.slowdown import Slowdown

# A frame that carries one byte.
_SMALLEST_FRAME_BYTES: Final = 67
Rate = Annotated[float, Gt(0), Le(1e15)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """The largest deviations of a measured link from the link that the scenario asks for.

    Attributes:
        rate: Largest deviation of a rate, as a fraction of the rate asked for.
        round_trip: Largest deviation of the round trip, as a fraction of the round trip asked for.
        round_trip_seconds: A deviation of the round trip by so many seconds or fewer is always tolerated.
    """

    rate: float
    round_trip: float
    round_trip_seconds: float

    def __str__(self) -> str:
        return f"{self.rate:.0%} of its rate or {self.round_trip:.0%} of its round trip"


# A busy machine lets processes wait for a millisecond even in the shortest of several round trips. That must not fail a
# cell whose delay is 1 ms, but the warning says it.
WARNING: Final = Tolerance(rate=0.05, round_trip=0.1, round_trip_seconds=0.3e-3)
FAILING: Final = Tolerance(rate=0.15, round_trip=0.3, round_trip_seconds=1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLink:
    """The measurement of one worker's link.

    Rates are in bits per second of Ethernet frames. The round trip is the time that one byte takes to the hub, the
    network's central bridge, and back.
    """

    up_bits_per_second: Rate
    down_bits_per_second: Rate
    round_trip_seconds: Annotated[float, Ge(0), Le(1e6)] = 0.0  # records of earlier versions have none

    def deviation(self, link: Link, direction: Literal["up", "down"]) -> float:
        """Return measured rate ÷ requested rate − 1 in one direction; ``link`` has the requested rates."""
        name = f"{direction}_bits_per_second"
        return float(getattr(self, name) / getattr(link, name) - 1)

    def better(self, other: Self | None, link: Link) -> "MeasuredLink":
        """Return the better values of two measurements of a link: those nearer to the link that the scenario asks for.

        The up rate, the down rate and the round trip are each taken from this measurement or from ``other``. ``link``
        is the link that the scenario asks for. If ``other`` is None, return this measurement.
        """
        if other is None:
            return self
        up, down = (
            min(self, other, key=lambda measured: abs(measured.deviation(link, direction)))
            for direction in ("up", "down")
        )
        wanted = hub_round_trip_seconds(link)
        round_trip = min(self, other, key=lambda measured: abs(measured.round_trip_seconds - wanted))
        return MeasuredLink(
            up_bits_per_second=up.up_bits_per_second,
            down_bits_per_second=down.down_bits_per_second,
            round_trip_seconds=round_trip.round_trip_seconds,
        )

    def emulated(self, by: Slowdown) -> Self:
        """Return the rates and the round trip that the link would have at full speed.

        The link was measured while a replay slowed it down by the factors ``by``. The measured rates are multiplied by
        ``by.rates``, and the measured round trip is divided by ``by.dilation``.
        """
        return replace(
            self,
            up_bits_per_second=self.up_bits_per_second * by.rates,
            down_bits_per_second=self.down_bits_per_second * by.rates,
            round_trip_seconds=self.round_trip_seconds / by.dilation,
        )

    def as_dict(self) -> dict[str, float]:
        """Return the up rate, the down rate and the round trip by their field names, to store in a record."""
        return asdict(self)


def hub_round_trip_seconds(link: Link) -> float:
    """Return the seconds that one byte takes from a worker over ``link`` to the hub and back.

    The hub is the network's central bridge. The seconds are the link's delay and the transmission of one frame, each
    once per direction. A round trip between two workers crosses two links each way, and so takes four delays.
    """
    frames = 8 * _SMALLEST_FRAME_BYTES * (1 / link.up_bits_per_second + 1 / link.down_bits_per_second)
    return 2 * link.delay_seconds + frames
