import dataclasses

import pytest

from liecbench.results.bandwidth_needed import BandwidthNeeded
from liecbench.results.measured_bandwidth import Wait, measured_bandwidth, needed_rate
from liecbench.results.records import Record, Start
from liecbench.results.row_labels import Labels
from tests.ledgers import rows_of, run_of, run_of_parts

MBIT = 10**6


def wait(rate: int, mean: float, *, rest: float = 0.0, communication: float = 0.0, error: float = 0.0) -> Wait:
    """Return a wait known to ± ``error``."""
    return Wait(
        rate=rate * MBIT,
        mean=mean,
        low=mean - error,
        high=mean + error,
        rest=rest,
        communication=communication or mean - rest,
    )


def bounds(waits: list[Wait], utilization: float) -> tuple[float | None, float | None, str]:
    """Return the range of needed rates in Mbit/s, to five digits, and what it is computed from."""
    found = needed_rate(waits, utilization)
    low, high = (
        None if bound is None else float(f"{bound / MBIT:.5g}")
        for bound in (found.low_bits_per_second, found.high_bits_per_second)
    )
    return low, high, found.basis


# Computing takes 1 and hides nothing; transfer takes 100 Mbit ÷ rate, and the rest 0.05.
PLAIN = [wait(rate, 0.05 + 100 / rate, rest=0.05) for rate in (50, 200, 1000)]


@pytest.mark.parametrize(
    ("utilization", "rate", "basis"),
    [
        (0.5, 100 / 0.95, "measured"),  # a wait of 1, of which 0.95 is transfer
        (0.75, 100 / (1 / 3 - 0.05), "measured"),
        (0.9, 100 / (1 / 9 - 0.05), "extrapolated"),
    ],
)
def test_without_overlap_the_needed_rate_is_exact(utilization: float, rate: float, basis: str) -> None:
    expected = float(f"{rate:.5g}")

    assert bounds(PLAIN, utilization) == (expected, expected, basis)


def test_a_utilization_beyond_the_rest_is_never_reached() -> None:
    # 1 ÷ 1.05 = 95.2 %
    assert bounds(PLAIN, 0.95)[1] is not None
    assert bounds(PLAIN, 0.96) == (None, None, "measured")
    assert bounds(PLAIN, 0.99) == (None, None, "measured")


def test_a_utilization_reached_at_the_slowest_rate_needs_at_most_that() -> None:
    assert bounds(PLAIN, 0.3) == (None, 50, "measured")


def test_overlap_makes_the_rate_a_range_that_contains_the_truth() -> None:
    # Computing hides 0.5 of the transfer of 100 Mbit, so that a wait of 1/3 needs 100 ÷ (0.5 + 1/3) = 120 Mbit/s.
    waits = [wait(rate, max(0.0, 100 / rate - 0.5), communication=100 / rate) for rate in (50, 1000)]
    low, high, basis = bounds(waits, 0.75)

    # The steepest line from 50 Mbit/s on is the truth itself; the straight line goes on to the wait of 0.
    assert (low, basis) == (120, "measured")
    assert high == pytest.approx(1 / (0.001 + 1 / 3 / 1.5 * 0.019), rel=1e-4)


def test_what_precedes_bounds_the_rate_more_closely() -> None:
    # All communication is known to at most 3, but between 25 and 50 Mbit/s the wait falls by only 2 per 0.02 s/Mbit.
    waits = [wait(25, 3.5, communication=9), wait(50, 1.5, communication=3), wait(1000, 0.0)]

    # 1 ÷ (1/50 − (1.5 − 1) ÷ 100)
    assert bounds(waits, 0.5)[0] == pytest.approx(66.667)


def test_intervals_widen_the_range() -> None:
    low, high, _ = bounds([wait(50, 2.0, error=0.1), wait(200, 0.5, error=0.1)], 0.5)

    assert bounds([wait(50, 2.0), wait(200, 0.5)], 0.5) == (100, 100, "measured")
    assert low is not None
    assert high is not None
    assert low < 100 < high


def test_a_rate_within_the_error_is_above_what_was_measured() -> None:
    waits = [wait(50, 2.0, error=0.02), wait(200, 0.1, rest=0.1, error=0.02)]

    # The wait at 200 Mbit/s is 0.08 to 0.12, and none of it is transfer: the 0.0989 for 91 % may or may not be reached.
    low, high, basis = bounds(waits, 0.91)
    assert (high, basis) == (None, "measured")
    assert low is not None
    assert 50 < low <= 200


def test_times_without_precision_tell_nothing() -> None:
    waits = [wait(rate, 0.2, rest=0.2, error=0.2) for rate in (50, 100)]

    assert bounds(waits, 0.99) == (None, None, "unknown")


@pytest.mark.parametrize(("utilization", "expected"), [(0.5, 100.0), (0.8, 400.0), (0.25, 100 / 3)])
def test_one_rate_is_scaled_and_marked(utilization: float, expected: float) -> None:
    rate = float(f"{expected:.5g}")

    assert bounds([wait(100, 1.0)], utilization) == (rate, rate, "estimated")


def test_one_rate_without_exposed_transfer_bounds_the_rate() -> None:
    assert bounds([wait(100, 0.5, rest=0.5, communication=0.5)], 0.5) == (None, 50, "estimated")
    assert bounds([Wait(rate=100 * MBIT, mean=0, low=0, high=0, rest=0, communication=0)], 0.5) == (
        None,
        100,
        "estimated",
    )


def needed(*runs: list[Record]) -> list[BandwidthNeeded]:
    rows = rows_of(*runs)
    return measured_bandwidth(rows, Labels([row for row in rows if not row.is_added]))


def test_rows_are_joined_by_method_and_workers() -> None:
    runs = [
        run_of_parts(f"{name} {link} {n}", 2.2, wire, 0.1, 0.01, algorithm=name, link=link, workers=n)
        for link, wire in (("50mbit", 4.4), ("200mbit", 1.1))
        for name in ("ddp", "psgd")
        for n in (2, 4)
    ]
    found = needed(*runs)

    assert {(one.name, one.workers, one.num_rates) for one in found} == {
        (name, workers, 2) for name in ("ddp", "psgd") for workers in (2, 4)
    }
    first = found[0]
    # Transfer of 220 Mbit, and a wait of 2.2 s, of which 0.11 s stays: 220 ÷ 2.09 = 105.3 Mbit/s
    assert first.rate_text(first.rates[0]) == "110mbit"
    assert first.highest_utilization == pytest.approx(2.2 / 2.31)
    assert first.compute.seconds == pytest.approx(0.1)
    assert first.limited_by == "compression"


def test_rates_that_a_run_added_count() -> None:
    asked, (first, *rest) = (
        run_of_parts("a", 1.0, 2.0, 0.0, 0.0, link="50mbit"),
        run_of_parts("b", 1.0, 0.5, 0.0, 0.0, link="200mbit"),
    )
    assert isinstance(first, Start)
    (found,) = needed(asked, [dataclasses.replace(first, spec={**first.spec, "added_rate": True}), *rest])

    assert (found.num_rates, found.rate_text(found.rates[0]), found.limited_by) == (2, "100mbit", None)


def test_links_with_a_shape_say_so_and_have_rates_of_both_directions() -> None:
    link = {"up": "10mbit", "down": "50mbit", "delay": "5ms"}
    (found,) = needed(run_of_parts("a", 1.0, 2.0, 0.0, 0.1, link=link))

    assert found.name_with_links == "ddp · links with down = 5 × up delay 5ms round trip 20ms"
    # 2 s of transfer in a wait of 1, of which 0.1 stays: 10 × 2 ÷ 0.9
    assert found.rate_text(found.rates[0]) == "22mbit↑ 110mbit↓ estimated"
    assert found.limited_by == "latency"


def test_rows_without_rates_or_parts_are_left_out() -> None:
    assert needed(run_of_parts("a", 1.0, 0.0, 0.0, 0.0, link="none"), run_of("old")) == []


def test_compute_seconds_are_the_same_at_all_rates_although_each_was_measured() -> None:
    # In truth a step computes 1 s and transfers 100 Mbit; at 50 Mbit/s the computing alone was measured as 1.5 s.
    (found,) = needed(
        run_of_parts("a", 1.5, 1.5, 0.0, 0.0, link="50mbit"),
        run_of_parts("b", 1.0, 0.5, 0.0, 0.0, link="200mbit"),
        run_of_parts("c", 1.0, 0.1, 0.0, 0.0, link="1gbit"),
    )

    assert found.rate_text(found.rates[0]) == "100mbit"


def test_an_interval_is_not_wider_than_its_neighbours_allow() -> None:
    # At the slowest rate each seed takes 2 to 4 s; at 100 Mbit/s all take 2 s, of which 1 s computes.
    slow = [run_of_parts(f"a{seed}", 1.0, 1.0 + seed, 0.0, 0.0, link="50mbit", seed=seed) for seed in range(3)]
    fast = [run_of_parts(f"b{seed}", 1.0, 1.0, 0.0, 0.0, link="100mbit", seed=seed) for seed in range(3)]
    (found,) = needed(*slow, *fast)

    assert found.rate_text(found.rates[0]) == "at most 100mbit"
    # A wait of 1/3 of 1 s: 100 Mbit/s in truth are 300 Mbit/s.
    assert found.rate_text(found.rates[1]) == "300mbit extrapolated"
