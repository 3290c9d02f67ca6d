import math

import pytest

from liecbench.results.timing_record import Timing
from liecbench.worker.session_rounds import RoundPlan, burst_steps, log_ratios
from tests.ledgers import timing


@pytest.mark.parametrize(
    ("step_seconds", "expected"),
    [(0.01, 15), (0.003, 50), (0.1, 3), (0.5, 3), (3.0, 3), (4.0, 2), (30.0, 2), (1e-9, 5000)],
)
def test_a_burst_takes_150_ms_and_three_steps_unless_they_take_too_long(step_seconds: float, expected: int) -> None:
    assert burst_steps(step_seconds) == expected


def rounds(
    contestant: str, seconds: list[float], *, placement: int = 0, kind: str = "step", share: float = 1.0
) -> list[Timing]:
    """Return a burst of one step in each of several rounds."""
    return [
        timing(contestant, kind, seconds=s, steps=1, share=share, placement=placement, round_=number)
        for number, s in enumerate(seconds)
    ]


def test_ratios_are_those_of_long_run_steps_in_the_same_round() -> None:
    bursts = [
        *rounds("a", [2.0, 4.0]),
        *rounds("a", [8.0], placement=1),
        *rounds("b", [1.0, 1.0], kind="compressed", share=0.75),
        *rounds("b", [5.0, 13.0], kind="averaging", share=0.25),
        *rounds("b", [4.0], placement=1, kind="compressed", share=0.75),  # its averaging burst is missing
    ]

    # Long-run steps of b take 0.75 + 1.25 = 2 s and 0.75 + 3.25 = 4 s.
    assert log_ratios(bursts, "a", "b") == [[0.0, 0.0]]
    assert log_ratios(rounds("a", [1.0, 2.0]), "a", "a") == [[0.0, 0.0]]
    assert log_ratios([*rounds("a", [4.0]), *rounds("b", [2.0])], "a", "b") == [[math.log(2)]]


def planned(bursts: list[Timing], *, rounds_done: int, seconds: float = 1.0, precision: float = 0.02) -> int:
    return RoundPlan(precision=precision).total(bursts, ["a", "b"], rounds_done=rounds_done, seconds=seconds)


def placements(contestant: str, numbers: range, noise: float = 0.0) -> list[Timing]:
    """Return placements of two rounds each; the mean seconds of a round vary by ``noise`` between placements."""
    found = []
    for number in numbers:
        seconds = 1 + noise * (-1) ** number
        found += rounds(contestant, [seconds, 1 / seconds], placement=number)
    return found


def both(count: int, noise: float) -> list[Timing]:
    return placements("a", range(count)) + placements("b", range(count), noise)


def test_ten_rounds_come_first() -> None:
    assert planned(both(1, 0.01), rounds_done=2) == 10


def test_a_coarse_precision_needs_no_more() -> None:
    assert planned(both(5, 0.001), rounds_done=10, precision=0.5) == 10


def test_loud_rounds_need_more_but_no_more_than_sixty() -> None:
    quiet, loud = (planned(both(5, noise), rounds_done=10) for noise in (0.001, 0.3))

    assert (quiet, loud) == (10, 60)


def test_time_limits_the_rounds_but_not_below_two_placements() -> None:
    # 15 s for each of two contestants are 30 s: at 4 s a round seven rounds, at 100 s a round only the fewest.
    assert planned(both(1, 0.3), rounds_done=2, seconds=8.0) == 7
    assert planned(both(1, 0.3), rounds_done=2, seconds=200.0) == 4


def test_the_first_ten_rounds_decide_and_later_ones_change_only_what_can_be_afforded() -> None:
    plan = RoundPlan(precision=0.02)
    totals = [
        plan.total(bursts, ["a", "b"], rounds_done=done, seconds=seconds)
        for bursts, done, seconds in [
            (both(1, 0.001), 2, 1.0),
            (both(5, 0.3), 10, 5.0),
            (both(5, 0.3) + both(60, 0.0)[20:], 12, 6.0),
            (both(5, 0.3), 14, 14.0),  # the rounds got slower: 30 s suffice for 30 rounds
            (both(5, 0.001), 16, 8.0),
        ]
    ]

    assert totals == [10, 60, 60, 30, 60]


def test_rounds_of_an_earlier_session_count() -> None:
    assert planned(both(30, 0.3), rounds_done=10) == 10


def test_earlier_rounds_of_the_reference_with_another_rival_do_not_count() -> None:
    # The reference had 50 rounds before b came; b shares only the last ten with it.
    bursts = placements("a", range(30)) + placements("b", range(25, 30), 0.3)

    assert planned(bursts, rounds_done=10) == 60
