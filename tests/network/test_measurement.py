from typing import Any

import pytest

from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.measurement import (
    FAILING,
    WARNING,
    MeasuredLink,
    Tolerance,
    deviations,
    recorded_deviations,
    recorded_window_limit,
)

ASKED = Link(up_bits_per_second=10**8, down_bits_per_second=2 * 10**8)


def measured(up: float, down: float, round_trip: float = 0.001) -> MeasuredLink:
    return MeasuredLink(up_bits_per_second=up, down_bits_per_second=down, round_trip_seconds=round_trip)


def of_rate(fraction: float) -> Tolerance:
    return Tolerance(rate=fraction, round_trip=1.0, round_trip_seconds=1.0)


def test_the_better_of_two_is_nearer_to_what_was_asked_in_each_direction() -> None:
    actual = measured(0.8e8, 2.1e8, 0.003).better(measured(1.1e8, 1.5e8, 0.002), ASKED)

    assert measured(1.1e8, 2.1e8, 0.002) == actual


@pytest.mark.parametrize(("tolerance", "expected"), [(0.05, 2), (0.15, 1), (0.25, 0)])
def test_larger_deviations_are_reported(tolerance: float, expected: int) -> None:
    link = LinkMap.parse({"up": "100mbit", "down": "200mbit"})
    found = deviations(link, [measured(0.96e8, 2e8), measured(0.9e8, 1.6e8)], of_rate(tolerance))

    assert len(found) == expected
    assert all(text.startswith("rank 1 ") for text in found)


def test_a_deviation_is_described() -> None:
    found = deviations(LinkMap.parse("100mbit"), [measured(0.8e8, 1e8)], FAILING)

    assert found == ["rank 0 up: asked 100mbit, measured 80mbit (-20%)"]


def test_every_worker_is_compared_with_its_own_link() -> None:
    link = LinkMap.parse({"rate": "100mbit", "workers": {1: "10mbit"}})

    assert deviations(link, [measured(1e8, 1e8), measured(1e7, 1e7)], WARNING) == []


@pytest.mark.parametrize("environment", [{}, {"link": None}, {"link": {"asked": "none", "measured": None}}])
def test_records_without_a_measurement_miss_nothing(environment: dict[str, Any]) -> None:
    assert recorded_deviations(environment) == []


def test_records_of_before_round_trips_are_read() -> None:
    link = {"asked": "100mbit", "measured": [{"up_bits_per_second": 1e8, "down_bits_per_second": 1.2e8}]}

    assert recorded_deviations({"link": link}) == ["rank 0 down: asked 100mbit, measured 120mbit (+20%)"]


def test_records_are_read_back() -> None:
    link = {"asked": "100mbit", "measured": [measured(0.9e8, 1e8).as_dict()]}

    assert recorded_deviations({"link": link}) == ["rank 0 up: asked 100mbit, measured 90mbit (-10%)"]


@pytest.mark.parametrize(
    ("round_trip", "warns", "fails"),
    [(0.0401, False, False), (0.0438, False, False), (0.0441, True, False), (0.0519, True, False), (0.053, True, True)],
)
def test_a_round_trip_is_compared_with_two_delays(round_trip: float, warns: bool, fails: bool) -> None:
    # Two delays of 20 ms; a byte's frames of 67 bytes take 5 microseconds each way at 100 Mbit/s.
    link = LinkMap.parse({"rate": "100mbit", "delay": "20ms"})
    found = [measured(1e8, 1e8, round_trip)]

    assert (bool(deviations(link, found, WARNING)), bool(deviations(link, found, FAILING))) == (warns, fails)


@pytest.mark.parametrize(
    ("late", "warns", "fails"),
    [(0.28e-3, False, False), (0.32e-3, True, False), (0.98e-3, True, False), (1.02e-3, True, True)],
)
def test_short_round_trips_may_be_late_by_what_a_busy_machine_adds(late: float, warns: bool, fails: bool) -> None:
    # Two delays of 1 ms, and a byte's frames.
    link = LinkMap.parse({"rate": "100mbit", "delay": "1ms"})
    found = [measured(1e8, 1e8, 0.00201072 + late)]

    assert (bool(deviations(link, found, WARNING)), bool(deviations(link, found, FAILING))) == (warns, fails)


def test_jitter_and_links_without_delay_are_tolerated() -> None:
    jitter = LinkMap.parse({"rate": "100mbit", "delay": "20ms", "jitter": "5ms"})

    assert deviations(jitter, [measured(1e8, 1e8, 0.0495)], WARNING) == []
    assert deviations(LinkMap.parse("100mbit"), [measured(1e8, 1e8, 0.5)], FAILING) == []


def test_a_round_trip_is_described() -> None:
    link = LinkMap.parse({"rate": "1gbit", "delay": "10ms"})

    (text,) = deviations(link, [measured(1e9, 1e9, 0.03)], FAILING)

    assert text == "rank 0 round trip to the hub: asked 20ms, measured 30ms (+50%)"


WIDE = {"rate": "1gbit", "delay": "20ms"}


@pytest.mark.parametrize(
    ("asked", "window", "expected"),
    [
        # A round trip of 80 ms at 1 Gbit/s holds 10,000,000 bytes.
        (WIDE, 10_000_000, None),
        (WIDE, 2**22, "TCP's window of 4MiB keeps one stream below 419.43mbit on its link"),
        ({**WIDE, "rate": "100mbit"}, 2**22, None),
        ("1gbit", 2**22, None),
        # From worker 0 to worker 1, a round trip has two delays of 100 ms.
        ({"rate": "1gbit", "workers": {"1": {"delay": "100ms"}}}, 2**22, "TCP's window of 4MiB keeps one stream below"),
        (WIDE, None, None),
        ("none", 2**22, None),
    ],
)
def test_a_window_below_the_bytes_of_a_round_trip_is_a_warning(
    asked: Any, window: int | None, expected: str | None
) -> None:
    found = recorded_window_limit({"link": {"asked": asked, "window_bytes": window}})

    assert (found is None) == (expected is None)
    assert (found or "").startswith(expected or "")


def test_records_of_earlier_versions_have_no_window() -> None:
    assert recorded_window_limit({"link": {"asked": WIDE}}) is None
    assert recorded_window_limit({}) is None
