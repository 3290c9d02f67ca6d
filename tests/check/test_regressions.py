from collections.abc import Sequence

import pytest

from liecbench.check.verdict import Verdict
from liecbench.errors import ExitCode
from liecbench.results.cells import CellResult
from tests.check.regressions import POINTS, checked, less_accurate, trained, verdicts

SEEDS = range(5)


@pytest.fixture(scope="module")
def before() -> Sequence[CellResult]:
    return trained("unchanged", SEEDS)


@pytest.fixture(scope="module")
def moved() -> Sequence[CellResult]:
    """The same cells from weights that differ by 1e-7, as those of a harmless change of the order of sums."""
    return trained("moved", SEEDS)


def test_the_same_code_passes(before: Sequence[CellResult]) -> None:
    outcome = checked(trained("unchanged", SEEDS), before)

    assert set(verdicts(outcome).values()) - {Verdict.NOT_COMPARED} == {Verdict.PASS}
    assert outcome.exit_code == ExitCode.DONE


@pytest.mark.parametrize(
    ("variant", "metric"),
    [
        ("25 % more bytes", "payload_bytes"),
        ("no error memory", "residual_norm"),
        ("less accurate", "test_accuracy"),
    ],
)
def test_a_real_regression_is_found(variant: str, metric: str, before: Sequence[CellResult]) -> None:
    outcome = checked(trained(variant, SEEDS), before)

    assert verdicts(outcome)[metric] is Verdict.FAIL
    assert outcome.exit_code == ExitCode.REGRESSION


def test_a_loss_of_two_points_is_found_despite_rounding_noise(
    before: Sequence[CellResult], moved: Sequence[CellResult]
) -> None:
    found = verdicts(checked(less_accurate(moved, POINTS), before))

    assert found["test_accuracy"] is Verdict.FAIL


def test_rounding_noise_is_no_change_of_the_numbers(before: Sequence[CellResult], moved: Sequence[CellResult]) -> None:
    found = verdicts(checked(moved, before))

    assert found["first_steps"] is Verdict.PASS
    assert found["compression_error"] is Verdict.PASS
    assert Verdict.FAIL not in found.values()
