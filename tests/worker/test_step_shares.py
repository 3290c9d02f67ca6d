import pytest

from liecbench.worker.step_shares import StepShare, step_shares


def averaging(period: int, step: int) -> str:
    return "averaging" if (step + 1) % period == 0 else "compressed"


@pytest.mark.parametrize("period", [1, 3, 8, 100, 5000])
@pytest.mark.parametrize("num_steps", [1, 63])
def test_shares_are_those_of_whole_periods_wherever_training_ends(period: int, num_steps: int) -> None:
    found = step_shares(lambda step: averaging(period, step), period, num_steps)

    assert found["averaging"].share == pytest.approx(1 / period)
    assert averaging(period, found["averaging"].first) == "averaging"
    assert set(found) == ({"averaging"} if period == 1 else {"averaging", "compressed"})


def test_kinds_of_the_first_steps_have_no_share() -> None:
    found = step_shares(lambda step: "dense" if step < 2 else "compressed", 1, 50)

    assert found == {"dense": StepShare(first=0, share=0.0), "compressed": StepShare(first=2, share=1.0)}


def test_a_period_without_end_is_no_period() -> None:
    found = step_shares(lambda step: averaging(10**9, step), 10**9, 50)

    assert found == {"compressed": StepShare(first=0, share=1.0)}


def test_the_long_run_begins_after_the_last_step_of_the_start() -> None:
    found = step_shares(lambda step: "dense" if step < 7001 else "compressed", 1, 50, start=7001)

    assert found == {"dense": StepShare(first=0, share=0.0), "compressed": StepShare(first=7001, share=1.0)}


def test_a_short_run_has_the_kinds_of_a_longer_one() -> None:
    """So that runs whose steps take equally long can share their times."""
    found = step_shares(lambda step: str(min(step // 10, 4)), 1, 15, start=40)

    assert list(found) == ["0", "1", "2", "3", "4"]
