import pytest

from liecbench.config.choice import Choice
from liecbench.theory.simulated_cell import SimulatedCell, make_problem
from liecbench.theory.stable_rate import is_stable, largest_stable_rate

TASK = Choice.model_validate({"name": "quadratic", "dimension": 16, "smallest": 0.5, "largest": 4.0})


def cell(algorithm: str, compressor: Choice | None) -> SimulatedCell:
    return SimulatedCell(
        algorithm=Choice(name=algorithm),
        compressor=compressor,
        workers=2,
        seed=0,
        server="root",
    )


def test_psgd_is_stable_up_to_2_over_the_smoothness() -> None:
    found = largest_stable_rate(cell("psgd", None), make_problem(TASK), steps=1000)

    # Just above 2/L, 1000 steps are too few to grow to 1000 σ².
    assert 2 / 4 / 1.05 < found < 2 / 4 * 1.01


@pytest.mark.parametrize(("learning_rate", "expected"), [(0.9 * 2 / 4, True), (1.1 * 2 / 4, False)])
def test_a_run_is_stable_below_that(learning_rate: float, expected: bool) -> None:
    assert is_stable(cell("psgd", None), make_problem(TASK), learning_rate=learning_rate, steps=500) == expected


def test_an_entry_that_is_sent_rarely_lowers_the_stable_rate() -> None:
    problem = make_problem(TASK)
    rates = [
        largest_stable_rate(
            cell("doublesqueeze", Choice.model_validate({"name": "top_k", "ratio": ratio})), problem, steps=300
        )
        for ratio in (1.0, 0.125)
    ]

    assert 2 / 4 / 1.05 < rates[0] < 2 / 4 * 1.03
    assert 0 < rates[1] < rates[0] / 1.5
