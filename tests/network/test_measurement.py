from liecbench.network.link import Link
from liecbench.network.measurement import MeasuredLink

ASKED = Link(up_bits_per_second=10**8, down_bits_per_second=2 * 10**8)


def measured(up: float, down: float, round_trip: float = 0.001) -> MeasuredLink:
    return MeasuredLink(up_bits_per_second=up, down_bits_per_second=down, round_trip_seconds=round_trip)


def test_the_better_of_two_is_nearer_to_what_was_asked_in_each_direction() -> None:
    actual = measured(0.8e8, 2.1e8, 0.003).better(measured(1.1e8, 1.5e8, 0.002), ASKED)

    assert measured(1.1e8, 2.1e8, 0.002) == actual
