import pytest

from liecbench.results.needed_rate import Wait, needed_rate

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
