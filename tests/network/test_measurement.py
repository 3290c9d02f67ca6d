from typing import Any

import pytest

from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.measurement import MeasuredLink, rate_deviations, recorded_deviations

ASKED = Link(up_bits_per_second=10**8, down_bits_per_second=2 * 10**8)


def measured(up: float, down: float, round_trip: float = 0.001) -> MeasuredLink:
    return MeasuredLink(up_bits_per_second=up, down_bits_per_second=down, round_trip_seconds=round_trip)


def test_the_better_of_two_is_nearer_to_what_was_asked_in_each_direction() -> None:
    actual = measured(0.8e8, 2.1e8, 0.003).better(measured(1.1e8, 1.5e8, 0.002), ASKED)

    assert measured(1.1e8, 2.1e8, 0.002) == actual


@pytest.mark.parametrize(("tolerance", "expected"), [(0.05, 2), (0.15, 1), (0.25, 0)])
def test_larger_deviations_are_reported(tolerance: float, expected: int) -> None:
    link = LinkMap.parse({"up": "100mbit", "down": "200mbit"})
    found = rate_deviations(link, [measured(0.96e8, 2e8), measured(0.9e8, 1.6e8)], tolerance)

    assert len(found) == expected
    assert all(text.startswith("rank 1 ") for text in found)


def test_a_deviation_is_described() -> None:
    found = rate_deviations(LinkMap.parse("100mbit"), [measured(0.8e8, 1e8)], 0.15)

    assert found == ["rank 0 up: asked 100mbit, measured 80mbit (-20%)"]


def test_every_worker_is_compared_with_its_own_link() -> None:
    link = LinkMap.parse({"rate": "100mbit", "workers": {1: "10mbit"}})

    assert rate_deviations(link, [measured(1e8, 1e8), measured(1e7, 1e7)], 0.05) == []


@pytest.mark.parametrize("environment", [{}, {"link": None}, {"link": {"asked": "none", "measured": None}}])
def test_records_without_a_measurement_miss_nothing(environment: dict[str, Any]) -> None:
    assert recorded_deviations(environment) == []


def test_records_of_before_round_trips_are_read() -> None:
    link = {"asked": "100mbit", "measured": [{"up_bits_per_second": 1e8, "down_bits_per_second": 1.2e8}]}

    assert recorded_deviations({"link": link}) == ["rank 0 down: asked 100mbit, measured 120mbit (+20%)"]


def test_records_are_read_back() -> None:
    link = {"asked": "100mbit", "measured": [measured(0.9e8, 1e8).as_dict()]}

    assert recorded_deviations({"link": link}) == ["rank 0 up: asked 100mbit, measured 90mbit (-10%)"]
