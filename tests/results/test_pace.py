import math

import pytest

from liecbench.results.cells import CellResult
from liecbench.results.environment_record import Environment
from liecbench.results.pace import Pace
from liecbench.results.timing_record import Timing
from tests.ledgers import epoch, spec
from tests.simulations.verdict_errors import timing


def pace(*timings: Timing, seconds: dict[int, float] | None = None) -> Pace:
    """Return the pace of one completed cell of one epoch of 22 steps."""
    cell = CellResult(
        id="a",
        spec=spec(),
        environment=Environment(),
        attempt=1,
        epochs=[epoch("a")],
        timings=timings,
        status="completed",
    )
    return Pace.of_cells([cell], seconds or {0: 1.0})


def test_a_round_weighs_step_kinds_by_how_often_they_come_in_the_long_run() -> None:
    # 3 of 4 steps take 0.1 s and one takes 0.5 s, whatever the number of bursts' steps: 0.2 s, and 22 steps per epoch.
    usual = timing("a", 0, 0, 0.1, kind="step", kind_share=0.75)
    averaging = timing("a", 0, 0, 0.5, kind="averaging", kind_share=0.25, steps=2, seconds=1.0)

    assert pace(usual, averaging).by_round == {("", 0, 0): pytest.approx(4.4)}


def test_an_interrupted_round_does_not_count() -> None:
    usual = [timing("a", 0, number, 0.1, kind_share=0.5) for number in (0, 1)]
    rare = timing("a", 0, 0, 0.3, kind="averaging", kind_share=0.5)

    assert pace(*usual, rare).by_round == {("", 0, 0): pytest.approx(4.4)}


def test_the_compute_utilization_of_a_round_is_that_of_the_long_run() -> None:
    # 3 of 4 steps take 0.1 s and one takes 0.5 s, half of which computes: 0.05 · 3/4 + 0.25 · 1/4 of 0.2 s. In the
    # second round the rare step computes nothing.
    rounds = [
        timing("a", 0, number, seconds, kind=kind, kind_share=share, compute_seconds=compute)
        for number, rare in ((0, 2.5), (1, 0.0))
        for kind, seconds, share, compute in (("step", 0.1, 0.75, 0.5), ("averaging", 0.5, 0.25, rare))
    ]
    found = pace(*rounds)

    assert found.utilization_by_round == {("", 0, 0): pytest.approx(0.5), ("", 0, 1): pytest.approx(0.0375 / 0.2)}
    assert found.log_utilization is not None
    assert found.log_utilization.mean == pytest.approx((math.log(0.5) + math.log(0.1875)) / 2)


def test_rounds_without_compute_have_no_utilization() -> None:
    assert pace(timing("a", 0, 0, 0.1, compute_seconds=0.0)).log_utilization is None
    assert pace().log_utilization is None


def test_sessions_are_paired_by_round() -> None:
    drift = [1.0, 1.5, 0.7, 2.0]
    slow = pace(*[timing("a", index // 2, index % 2, 2 * d) for index, d in enumerate(drift)])
    fast = pace(*[timing("b", index // 2, index % 2, d) for index, d in enumerate(drift)])
    found = fast.speed_over(slow)
    assert found is not None

    # The drift cancels: what remains is what is known of placements, 2.5 % with a weight of two of three degrees.
    assert found.mean == pytest.approx(math.log(2))
    assert found.standard_error == pytest.approx(math.sqrt(2 * 0.025**2 / 3 / 2))


def test_two_sessions_are_independent() -> None:
    first = pace(*[timing("a", placement, number, 1.0) for placement in (0, 1) for number in (0, 1)])
    second = pace(*[timing("b", p, n, 0.5, setting="two") for p in (0, 1) for n in (0, 1)])
    found = second.speed_over(first)
    assert found is not None

    assert found.mean == pytest.approx(math.log(2))
    assert found.standard_error == pytest.approx(math.sqrt(2 * (2 * 0.025**2 / 3 / 2)))


def test_different_rounds_of_one_session_are_independent_too() -> None:
    # Both rows have the same seconds for every seed, which would look like pairs without any spread.
    first = pace(*[timing("a", placement, number, 1.0) for placement in (0, 1) for number in (0, 1)])
    later = pace(*[timing("b", placement, number, 0.5) for placement in (2, 3) for number in (0, 1)])
    found = later.speed_over(first)
    assert found is not None

    assert found.mean == pytest.approx(math.log(2))
    assert found.standard_error == pytest.approx(math.sqrt(2 * (2 * 0.025**2 / 3 / 2)))


def test_without_sessions_seeds_are_paired() -> None:
    found = pace(seconds={0: 1.0, 1: 1.0, 7: 5.0}).speed_over(pace(seconds={0: 2.0, 1: 8.0, 9: 1.0}))
    assert found is not None

    assert found.mean == pytest.approx(math.log(4))
    assert found.degrees_of_freedom == 1


def test_nothing_in_common_cannot_be_compared() -> None:
    assert pace(seconds={0: 1.0}).speed_over(pace(seconds={1: 1.0})) is None


@pytest.mark.parametrize(("share", "expected"), [(0.05, False), (0.2, True), (None, False)])
def test_different_loads_are_not_ranked(share: float | None, expected: bool) -> None:
    quiet, loaded = pace(timing("a", 0, 0, 1.0)), pace(timing("b", 0, 0, 1.0, other_cpu_share=share))

    assert quiet.disturbed_differently(loaded) is expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (0.1, 0.0, False),  # 1 % of 10 s
        (0.2, 0.0, True),
        (0.0, None, True),  # one computed, or an earlier version has not recorded it
    ],
)
def test_ranks_that_wake_in_time_are_ranked_in_spite_of_other_processes(
    first: float, second: float | None, expected: bool
) -> None:
    quiet = pace(timing("a", 0, 0, 1.0, late_seconds=second))
    loaded = pace(timing("b", 0, 0, 1.0, other_cpu_share=0.9, late_seconds=first))

    assert quiet.disturbed_differently(loaded) is expected
    assert loaded.disturbed_differently(quiet) is expected
