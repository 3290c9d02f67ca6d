import pytest

from liecbench.network.deviation import Deviation, deviations, deviations_text
from liecbench.network.link_map import LinkMap
from liecbench.network.measurement import FAILING, WARNING, MeasuredLink, Tolerance


def measured(up: float, down: float, round_trip: float = 0.001) -> MeasuredLink:
    return MeasuredLink(up_bits_per_second=up, down_bits_per_second=down, round_trip_seconds=round_trip)


def of_rate(fraction: float) -> Tolerance:
    return Tolerance(rate=fraction, round_trip=1.0, round_trip_seconds=1.0)


@pytest.mark.parametrize(("tolerance", "expected"), [(0.05, 2), (0.15, 1), (0.25, 0)])
def test_larger_deviations_are_reported(tolerance: float, expected: int) -> None:
    link = LinkMap.parse({"up": "100mbit", "down": "200mbit"})
    found = deviations(link, [measured(0.96e8, 2e8), measured(0.9e8, 1.6e8)], of_rate(tolerance))

    assert len(found) == expected
    assert {one.rank for one in found} <= {1}


def test_a_deviation_is_described() -> None:
    found = deviations(LinkMap.parse("100mbit"), [measured(0.8e8, 1e8)], FAILING)

    assert found == [Deviation(rank=0, of="up", asked=1e8, measured=0.8e8)]
    assert str(found[0]) == "rank 0 up: asked 100mbit, measured 80mbit (-20%)"


def test_every_worker_is_compared_with_its_own_link() -> None:
    link = LinkMap.parse({"rate": "100mbit", "workers": {1: "10mbit"}})

    assert deviations(link, [measured(1e8, 1e8), measured(1e7, 1e7)], WARNING) == []


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

    (found,) = deviations(link, [measured(1e9, 1e9, 0.03)], FAILING)

    assert str(found) == "rank 0 round trip to the hub: asked 20ms, measured 30ms (+50%)"


def test_three_deviations_are_named() -> None:
    found = [Deviation(rank=rank, of="down", asked=1e8, measured=5e7) for rank in range(5)]

    assert deviations_text(found) == (
        "rank 0 down: asked 100mbit, measured 50mbit (-50%); rank 1 down: asked 100mbit, measured 50mbit (-50%); "
        "rank 2 down: asked 100mbit, measured 50mbit (-50%) and 2 more"
    )
