from collections.abc import Mapping, Sequence

import pytest

from liecbench.check.verdict import Verdict
from liecbench.errors import ExitCode
from liecbench.results.cells import CellResult
from tests.check.regressions import POINTS, REGRESSIONS, checked, less_accurate, trained, verdicts

SEEDS = range(5)
QUANTISED = ("quantised", "quantised, moved")


@pytest.fixture(scope="module")
def runs() -> Mapping[str, Sequence[CellResult]]:
    """All runs that more than one test compares."""
    return trained(["unchanged", "moved", *REGRESSIONS], SEEDS)


def test_the_same_code_passes(runs: Mapping[str, Sequence[CellResult]]) -> None:
    outcome = checked(trained(["unchanged"], SEEDS)["unchanged"], runs["unchanged"])

    assert set(verdicts(outcome).values()) - {Verdict.NOT_COMPARED} == {Verdict.PASS}
    assert outcome.exit_code == ExitCode.DONE


@pytest.mark.parametrize(
    ("variant", "metrics"),
    [
        ("25 % more bytes", ["payload_bytes", "first_steps"]),
        ("no error memory", ["residual_norm", "first_steps"]),
        ("less accurate", ["test_accuracy"]),
    ],
)
def test_a_real_regression_is_found(
    variant: str, metrics: Sequence[str], runs: Mapping[str, Sequence[CellResult]]
) -> None:
    outcome = checked(runs[variant], runs["unchanged"])

    assert [verdicts(outcome)[metric] for metric in metrics] == [Verdict.FAIL] * len(metrics)
    assert outcome.exit_code == ExitCode.REGRESSION


def test_a_loss_of_two_points_is_found_despite_rounding_noise(runs: Mapping[str, Sequence[CellResult]]) -> None:
    found = verdicts(checked(less_accurate(runs["moved"], POINTS), runs["unchanged"]))

    assert found["test_accuracy"] is Verdict.FAIL


def test_a_harmless_change_of_rounding_passes(runs: Mapping[str, Sequence[CellResult]]) -> None:
    outcome = checked(runs["moved"], runs["unchanged"])

    assert runs["moved"][0].epochs[-1].train_loss != runs["unchanged"][0].epochs[-1].train_loss
    assert verdicts(outcome)["first_steps"] is Verdict.PASS
    assert outcome.count(Verdict.FAIL) == 0


@pytest.mark.long
def test_a_harmless_change_of_rounding_fails_only_a_tight_margin_on_every_epoch() -> None:
    runs = trained(QUANTISED, range(3))
    before, moved = (runs[name] for name in QUANTISED)
    errors = [
        (old.compression_error or 0.0, new.compression_error or 0.0)
        for one, other in zip(before, moved, strict=True)
        for old, new in zip(one.epochs, other.epochs, strict=True)
    ]
    outcome = checked(moved, before)

    # The weights moved by 1e-7; a margin of 1e-4 on every epoch would fail.
    assert max(abs(new / old - 1) for old, new in errors) > 1e-3
    assert verdicts(outcome)["first_steps"] is Verdict.PASS
    assert outcome.count(Verdict.FAIL) == 0
