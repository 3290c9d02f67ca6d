import pytest

from liecbench.theory.study import TheoryFile
from liecbench.theory.study_results import run_study, speed_up_exponent

FILE = TheoryFile.model_validate(
    {
        "name": "x",
        "studies": [
            {
                "measure": "stationary_gradient",
                "task": {"name": "quadratic", "dimension": 8, "largest": 2.0, "noise": 3.0},
                "steps": 20,
                "learning_rate": {"of_bound": 0.5},
                "matrix": {"algorithm": ["psgd", "liec"], "compressor": "sign", "workers": [1, 2], "seed": [0, 1]},
            }
        ],
    }
)


def test_the_exponent_is_the_slope_over_the_logarithm_of_workers() -> None:
    linear = speed_up_exponent({1: [8.0, 16.0], 4: [2.0, 4.0], 16: [0.5, 1.0]})
    none = speed_up_exponent({1: [3.0], 4: [3.0]})

    assert linear is not None
    assert none is not None
    assert (linear.mean, linear.low, linear.high) == pytest.approx((1, 1, 1))
    assert none.mean == pytest.approx(0)


@pytest.mark.parametrize("values", [{4: [1.0]}, {1: [1.0], 4: [float("inf")]}, {1: [1.0], 4: [0.0]}])
def test_there_is_no_exponent_of_one_count_or_of_runs_that_diverged(values: dict[int, list[float]]) -> None:
    assert speed_up_exponent(values) is None


def test_a_study_has_a_result_for_each_method_and_number_of_workers() -> None:
    finished: list[None] = []
    result = run_study(FILE.studies[0], FILE, lambda: finished.append(None))
    psgd, liec = result.methods

    assert (len(finished), result.smoothness, result.noise_variance) == (2, 2.0, 9.0)
    assert (psgd.contraction, psgd.bound) == pytest.approx((1.0, 1 / 20))
    assert liec.contraction is not None
    assert liec.bound == pytest.approx(liec.contraction / 20)
    assert [list(method.measured) for method in result.methods] == [[1, 2]] * 2
    for estimate in liec.measured.values():
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.low < estimate.mean
